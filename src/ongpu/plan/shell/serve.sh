# UNIT SECONDS_LIMIT
note() { logger -t ongpu -- "$UNIT: $*" 2>/dev/null || :; }
ask() { curl --noproxy '*' --globoff --silent "$@"; }

# last_words: the program's own last complaint, else systemd's about it
last_words() {
  for lines in "_SYSTEMD_UNIT=$UNIT" "--unit=$UNIT"; do
    said=$(journalctl "$lines" --lines 30 --output cat --quiet 2>/dev/null | grep -iE 'error|fail|denied|panic' | tail -n 1) || :
    [ -z "$said" ] || break
  done
  printf '%s\n' "$said"
}

# serve VERB API: or the reason in `failed`. The socket is open before Ollama has looked for GPUs; it answers only
# afterwards.
serve() {
  systemctl reset-failed "$UNIT" 2>/dev/null || :
  systemctl "$1" "$UNIT" || { failed="$UNIT does not start: $(last_words)"; return 1; }
  until=$(($(date +%s) + SECONDS_LIMIT))
  while [ "$(date +%s)" -lt "$until" ]; do
    if ask --fail --output /dev/null --max-time 5 "$2/api/version"; then return 0; fi
    restarts=$(systemctl show --property NRestarts --value "$UNIT" 2>/dev/null || :)
    if [ "${restarts:-0}" -ge 3 ]; then
      failed="$UNIT keeps failing and was restarted $restarts times: $(last_words)"
      return 1
    fi
    sleep 1
  done
  failed="$UNIT was started, but $2 did not answer within $SECONDS_LIMIT s: $(last_words)"
  return 1
}

# being_served: is a request being answered at this moment? Ollama keeps a connection to a model's runner only then.
being_served() {
  main=$(systemctl show --property MainPID --value "$UNIT" 2>/dev/null || :)
  [ "${main:-0}" -gt 0 ] 2>/dev/null || return 1
  # shellcheck disable=SC2013 # numbers
  for pid in $(cat /proc/[0-9]*/stat 2>/dev/null | awk -v main="$main" '
    { pid = $1; sub(/^.*\) /, ""); split($0, of, " "); if (of[2] == main) print pid }'); do
    port=$(tr '\000' '\n' <"/proc/$pid/cmdline" 2>/dev/null | sed -n '/^--port$/{n;p;}')
    case $port in '' | *[!0-9]*) continue ;; esac
    if awk -v end=":$(printf %04X "$port")" '
      $4 == "01" && substr($3, length($3) - 4) == end { found = 1 } END { exit !found }' "/proc/$main/net/tcp"; then
      return 0
    fi
  done
  return 1
}
