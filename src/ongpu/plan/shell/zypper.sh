# zypp ARGUMENT...: `why` is the most telling line
zypp() {
  log=$(mktemp)
  export ZYPP_LOCK_TIMEOUT=300 # another zypper, or YaST, is waited for
  rc=0
  zypper --non-interactive --no-color "$@" >"$log" 2>&1 || rc=$?
  # 102: a reboot is advised; 103: zypper itself was updated
  case $rc in
    0 | 102 | 103)
      rm -f "$log"
      return 0
      ;;
  esac
  tail -n 40 "$log"
  why=$(telling "$log")
  rm -f "$log"
  return 1
}

# telling LOG: the line that names the cause, which is seldom the last one
telling() {
  full=$(grep -m 1 -iE 'No space left on device|not enough space|insufficient disk space' "$1") &&
    printf 'disk full: %s\n' "${full#"${full%%[! ]*}"}" ||
    grep -m 1 -iE 'Signature verification failed|is not signed|unknown GnuPG key|Failed to retrieve new repository metadata' "$1" | sed 's/^[ -]*//' | grep . ||
    grep -m 1 -E '^ *Error message: ' "$1" | sed 's/^ *Error message: //' | grep . ||
    grep -m 1 -E 'Curl error|Download .* error|Timeout exceeded|not found on medium' "$1" ||
    grep -m 1 -A 1 -E '^Problem' "$1" | tr '\n' ' ' | grep . ||
    grep -m 1 -iE "^(error|No provider of|Package '.*' not found|.* not found in package names)" "$1" ||
    tail -n 1 "$1"
}
