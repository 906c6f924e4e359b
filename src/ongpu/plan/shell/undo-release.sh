# VERSION (may be empty) WAS (what BINARY was: `link TARGET`, `file SUM`, or empty) RELEASES CURRENT PREVIOUS BINARY
# BACKUPS
kept=
case $WAS in
  'file '*)
    kept=$BACKUPS$BINARY.${WAS#file }
    [ -x "$kept" ] || die "$kept is not there, so $BINARY cannot be put back"
    ;;
esac
if [ -n "$VERSION" ]; then
  [ -x "$RELEASES/$VERSION/bin/ollama" ] || die "$RELEASES/$VERSION is not complete"
  lead_to "$VERSION"
else
  rm -f "$CURRENT"
fi
rm -f "$BINARY.ongpu-new"
case $WAS in
  'link '*)
    ln -s "${WAS#link }" "$BINARY.ongpu-new"
    mv -fT "$BINARY.ongpu-new" "$BINARY"
    ;;
  'file '*)
    cp -p "$kept" "$BINARY.ongpu-new"
    mv -fT "$BINARY.ongpu-new" "$BINARY"
    ;;
  *) case $(readlink "$BINARY" || :) in "$CURRENT"/*) rm -f "$BINARY" ;; esac ;;
esac
