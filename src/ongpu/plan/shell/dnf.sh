# dnf_run ARGUMENT...: `why` is the most telling line. dnf itself waits for other users of the rpm database.
dnf_run() {
  log=$(mktemp)
  if dnf -y "$@" >"$log" 2>&1; then
    rm -f "$log"
    return 0
  fi
  tail -n 40 "$log"
  why=$(telling "$log")
  rm -f "$log"
  return 1
}

# telling LOG: the line that names the cause, which is seldom the last one
telling() {
  full=$(grep -m 1 -E 'No space left on device|needs [0-9.]+ ?[KMGT]i?B (more space )?on the' "$1") &&
    printf 'disk full: %s\n' "${full#"${full%%[! ]*}"}" ||
    grep -m 1 -E 'GPG check FAILED|is not signed|not correct for this package|does not verify' "$1" |
    sed 's/^ */a package is not signed with the declared key: /' | grep . ||
    grep -m 1 -E 'Curl error \([0-9]+\)|Could not resolve|Status code: [0-9]+' "$1" | sed 's/^ *- *//' | grep . ||
    grep -m 1 -E 'filtered out by (modular|exclude) filtering' "$1" ||
    grep -m 1 -A 1 -E '^ *Problem' "$1" | tr '\n' ' ' | grep . ||
    grep -m 1 -E '^(Error|Failed)' "$1" ||
    tail -n 1 "$1"
}

is_dnf5() { case $(dnf --version 2>/dev/null | head -n 1) in dnf5*) return 0 ;; *) return 1 ;; esac; }
