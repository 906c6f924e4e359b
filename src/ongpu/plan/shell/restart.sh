# VERB (restart, or empty) ENABLE (yes or empty) UNIT API SECONDS_LIMIT MODELS_DIR (may be empty) USER GROUP
# OLD (version that served until now and is put back if the new one does not; may be empty) RELEASES CURRENT
# DROP_IN GOOD (copy of the drop-in that served last) BARE (yes: what serves now was started without our drop-in)
# API_BEFORE (where what serves now answers) BINARY REPLACED (file: where the program is kept that BINARY was before)
# WHY (the reasons, for the journal), TURNS (yes: fewer models may be loaded than are declared), and what health.sh
# needs. Exit 76: a request came in after the last look.
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

# copy FILE FILE: whole or not at all, with its mode (it may hold secrets)
copy() { mkdir -p "${2%/*}" && cp -p "$1" "$2.new" && mv -f "$2.new" "$2"; }

other_drop_in_was_good() {
  [ -f "$GOOD" ] && { [ ! -f "$DROP_IN" ] || [ "$(checksum "$GOOD")" != "$(checksum "$DROP_IN")" ]; }
}

# goes_back: is there another release or drop-in to put back, should what is declared now be worse?
goes_back() {
  [ -n "$OLD" ] || [ -f "$REPLACED" ] || { [ -f "$DROP_IN" ] && [ "$BARE" = yes ]; } ||
    { [ "$BARE" != yes ] && other_drop_in_was_good; }
}

before=
found_before=
was=
tried=
if systemctl --quiet is-active "$UNIT" && [ -n "$(version_of "$API_BEFORE" || :)" ]; then
  before=$(residents "$API_BEFORE" || :)
  # shellcheck disable=SC2046 # two numbers
  set -- $(discovered)
  [ "$2" = 0 ] || found_before=$1
  # With nothing resident nobody could tell afterwards whether a model still runs on the GPU as it did.
  if [ -z "$before" ] && [ "$found_before" != 0 ] && goes_back; then
    tried=$(smallest "$API_BEFORE" || :)
    if [ -n "$tried" ] && (LOAD_LIMIT=$TRY_LIMIT && load "$API_BEFORE" "$tried" 0 -); then
      before=$(residents "$API_BEFORE" || :)
    fi
  fi
  was=$(state "$API_BEFORE")
fi
# The last moment at which nothing is lost: the service closes every connection when it is told to stop.
if being_served; then
  printf 'a request came in before the restart\n' >&2
  exit 76
fi
note "restart (${WHY:-not running})${was:+; it is $was}"
if serve "$VERB" "$API"; then
  judge "$API"
  if [ -z "$ill" ]; then
    [ ! -f "$DROP_IN" ] || copy "$DROP_IN" "$GOOD" || :
    rm -f "$REPLACED"
    note "restarted: $(state "$API")"
    # What was loaded only to tell would be in the way of the next model, unless somebody uses it by now.
    if [ -n "$tried" ] && [ -n "$TURNS" ] && [ "$(residents "$API" || :)" = "$after" ]; then
      ask --max-time 30 --header 'Content-Type: application/json' \
        --data "{\"model\":\"$tried\",\"keep_alive\":0}" "$API/api/generate" >/dev/null 2>&1 || :
    fi
    exit 0
  fi
  reason="$UNIT is not healthy after its restart: $ill"
  [ -n "$worse" ] || { note "$reason; it was no better before"; die "$reason; it was no better before, so nothing was put back"; }
else
  reason=$failed
fi
[ -z "$was" ] || reason="$reason (before: $was)"
back=
if [ -n "$OLD" ] && [ -x "$RELEASES/$OLD/bin/ollama" ]; then
  rm -f "$CURRENT.new"
  ln -s "$OLD" "$CURRENT.new"
  mv -fT "$CURRENT.new" "$CURRENT"
  # An undo may have taken it away.
  [ -e "$BINARY" ] || ln -sf "$CURRENT/bin/ollama" "$BINARY" 2>/dev/null || :
  back="ollama $OLD"
elif [ -f "$REPLACED" ] && [ -x "$(cat "$REPLACED")" ]; then
  copy "$(cat "$REPLACED")" "$BINARY"
  rm -f "$REPLACED"
  back="the previous $BINARY"
fi
api=$API
if [ -f "$DROP_IN" ] && [ "$BARE" = yes ]; then
  mv -f "$DROP_IN" "$DROP_IN.failed" # systemd reads only *.conf
  back="${back:+$back and }the service without ${DROP_IN##*/} (kept as ${DROP_IN##*/}.failed)"
  api=$API_BEFORE
elif [ "$BARE" != yes ] && other_drop_in_was_good; then
  copy "$GOOD" "$DROP_IN"
  back="${back:+$back and }the previous ${DROP_IN##*/}"
  api=$API_BEFORE
fi
note "$reason"
[ -n "$back" ] || die "$reason"
systemctl daemon-reload
if serve restart "$api"; then
  load_again "$api" "$before"
  note "put back: $back; it is $(state "$api")"
  die "$reason; put back, and the service answers again: $back (now: $(state "$api"))"
fi
note "put back: $back; it does not answer: $failed"
die "$reason; put back, and the service does not answer either: $back: $failed"
