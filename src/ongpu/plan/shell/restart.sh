# VERB (restart, or empty) ENABLE (yes or empty) UNIT API SECONDS_LIMIT MODELS_DIR (may be empty) USER GROUP
# OLD (version that served until now and is put back if the new one does not; may be empty) RELEASES CURRENT
systemctl daemon-reload
[ -z "$ENABLE" ] || systemctl enable --quiet "$UNIT"
[ -n "$VERB" ] || exit 0
# Ollama does not start when it cannot make this directory itself. One that is there is left as it is.
[ -z "$MODELS_DIR" ] || [ -d "$MODELS_DIR" ] || install -d -m 0755 -o "$USER" -g "$GROUP" "$MODELS_DIR"
last_words() {
  journalctl --unit "$UNIT" --lines 30 --output cat --quiet 2>/dev/null | grep -iE 'error|fail|denied|panic' | tail -n 1 || :
}

# serve: or the reason in `failed`. The socket is open before Ollama has looked for GPUs; it answers only afterwards.
serve() {
  systemctl reset-failed "$UNIT" 2>/dev/null || :
  systemctl "$VERB" "$UNIT" || { failed="$UNIT does not start: $(last_words)"; return 1; }
  until=$(($(date +%s) + SECONDS_LIMIT))
  while [ "$(date +%s)" -lt "$until" ]; do
    if curl --noproxy '*' --globoff --fail --silent --output /dev/null --max-time 5 "$API/api/version"; then return 0; fi
    restarts=$(systemctl show --property NRestarts --value "$UNIT" 2>/dev/null || :)
    if [ "${restarts:-0}" -ge 3 ]; then
      failed="$UNIT keeps failing and was restarted $restarts times: $(last_words)"
      return 1
    fi
    sleep 1
  done
  failed="$UNIT was started, but $API did not answer within $SECONDS_LIMIT s: $(last_words)"
  return 1
}

if serve; then exit 0; fi
if [ -z "$OLD" ] || [ ! -x "$RELEASES/$OLD/bin/ollama" ]; then die "$failed"; fi
reason=$failed
rm -f "$CURRENT.new"
ln -s "$OLD" "$CURRENT.new"
mv -fT "$CURRENT.new" "$CURRENT"
if serve; then die "$reason; ollama $OLD was put back and serves"; fi
die "$reason; ollama $OLD was put back and does not serve either: $failed"
