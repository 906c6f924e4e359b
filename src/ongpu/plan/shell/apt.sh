# apt_get ARGUMENT...: waits for other users of dpkg and of the lists; `why` is the most telling line
apt_get() {
  log=$(mktemp)
  tries=40
  until apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o APT::Update::Error-Mode=any \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" >"$log" 2>&1; do
    # The lists have a lock of their own, for which apt does not wait: a fresh host updates itself after its boot.
    if [ "$tries" -gt 0 ] && grep -q 'Could not get lock' "$log"; then
      tries=$((tries - 1))
      sleep "${LOCK_PAUSE:-5}"
      continue
    fi
    tail -n 40 "$log"
    why=$(telling "$log")
    rm -f "$log"
    return 1
  done
  rm -f "$log"
}

# telling LOG: the line that names the cause, which is seldom the last one
telling() {
  full=$(grep -m 1 -E 'No space left on device|enough free space' "$1") &&
    printf 'disk full: %s\n' "${full#"${full%%[! ]*}"}" ||
    grep -m 1 -E 'Signature verification failed|Hash Sum mismatch|BADSIG|NO_PUBKEY|EXPKEYSIG|is not signed' "$1" ||
    grep -m 1 -E 'Bad return status for module build' "$1" ||
    grep -m 1 -E '^(E|W): .*(Could not connect|Could not resolve|Unable to connect|404  )' "$1" ||
    grep -m 1 -A 1 -E '^dpkg: error processing' "$1" | tr '\n' ' ' | grep . ||
    grep -m 1 '^E: ' "$1" ||
    tail -n 1 "$1"
}
