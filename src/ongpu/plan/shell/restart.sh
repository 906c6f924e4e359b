# VERB (restart, or empty) ENABLE (yes or empty) UNIT API SECONDS_LIMIT MODELS_DIR (may be empty) USER GROUP
# OLD (version that served until now and is put back if the new one does not; may be empty) RELEASES CURRENT
# DROP_IN GOOD (copy of the drop-in that served last) BARE (yes: what serves now was started without our drop-in)
# API_BEFORE (where what serves now answers)
systemctl daemon-reload
[ -z "$ENABLE" ] || systemctl enable --quiet "$UNIT"
[ -n "$VERB" ] || exit 0

as_user() {
  if [ "$(id -un)" = "$USER" ]; then sh -c "$1"
  elif command -v setpriv >/dev/null 2>&1; then setpriv --reuid "$USER" --regid "$GROUP" --init-groups sh -c "$1"
  else su -s /bin/sh "$USER" -c "$1"; fi
}
if [ -n "$MODELS_DIR" ]; then
  # Ollama does not start when it cannot make this directory itself. One that is there is left as it is.
  [ -d "$MODELS_DIR" ] || install -d -m 0755 -o "$USER" -g "$GROUP" "$MODELS_DIR" ||
    die "the models directory $MODELS_DIR cannot be made; $UNIT was not restarted"
  export MODELS_DIR
  # shellcheck disable=SC2016 # the user's shell expands it
  as_user '[ -w "$MODELS_DIR" ] && [ -x "$MODELS_DIR" ]' ||
    die "the user $USER may not write the models directory $MODELS_DIR (its owner and mode, or those of a directory" \
      "above it): $UNIT was not restarted"
fi
last_words() {
  journalctl --unit "$UNIT" --lines 30 --output cat --quiet 2>/dev/null | grep -iE 'error|fail|denied|panic' | tail -n 1 || :
}

# serve VERB API: or the reason in `failed`. The socket is open before Ollama has looked for GPUs; it answers only
# afterwards.
serve() {
  systemctl reset-failed "$UNIT" 2>/dev/null || :
  systemctl "$1" "$UNIT" || { failed="$UNIT does not start: $(last_words)"; return 1; }
  until=$(($(date +%s) + SECONDS_LIMIT))
  while [ "$(date +%s)" -lt "$until" ]; do
    if curl --noproxy '*' --globoff --fail --silent --output /dev/null --max-time 5 "$2/api/version"; then return 0; fi
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

# copy FILE FILE: whole or not at all, with its mode (it may hold secrets)
copy() { mkdir -p "${2%/*}" && cp -p "$1" "$2.new" && mv -f "$2.new" "$2"; }

if serve "$VERB" "$API"; then
  [ ! -f "$DROP_IN" ] || copy "$DROP_IN" "$GOOD" || :
  exit 0
fi
reason=$failed
back=
if [ -n "$OLD" ] && [ -x "$RELEASES/$OLD/bin/ollama" ]; then
  rm -f "$CURRENT.new"
  ln -s "$OLD" "$CURRENT.new"
  mv -fT "$CURRENT.new" "$CURRENT"
  back="ollama $OLD"
fi
api=$API
if [ -f "$DROP_IN" ] && [ "$BARE" = yes ]; then
  mv -f "$DROP_IN" "$DROP_IN.failed" # systemd reads only *.conf
  back="${back:+$back and }the service without ${DROP_IN##*/} (kept as ${DROP_IN##*/}.failed)"
  api=$API_BEFORE
elif [ -f "$DROP_IN" ] && [ -f "$GOOD" ] && [ "$(checksum "$GOOD")" != "$(checksum "$DROP_IN")" ]; then
  copy "$GOOD" "$DROP_IN"
  back="${back:+$back and }the previous ${DROP_IN##*/}"
  api=$API_BEFORE
fi
[ -n "$back" ] || die "$reason"
systemctl daemon-reload
if serve restart "$api"; then die "$reason; put back, and the service answers again: $back"; fi
die "$reason; put back, and the service does not answer either: $back: $failed"
