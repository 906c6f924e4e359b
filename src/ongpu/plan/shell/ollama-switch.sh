# VERSION RELEASES CURRENT PREVIOUS BINARY BACKUPS REPLACED (file: where the program is kept that BINARY was before)
[ -x "$RELEASES/$VERSION/bin/ollama" ] || die "$RELEASES/$VERSION is not complete"
lead_to "$VERSION"
[ "$(readlink "$BINARY" || :)" = "$CURRENT/bin/ollama" ] && exit 0
if [ -f "$BINARY" ]; then
  kept=$BACKUPS$BINARY.$(checksum "$BINARY" | cut -c 1-16)
  mkdir -p "${kept%/*}"
  # Through a temporary name: a kept file is whole.
  [ -e "$kept" ] || { cp -pL "$BINARY" "$kept.new" && mv -f "$kept.new" "$kept"; }
  case $(readlink -f "$BINARY") in
    "$RELEASES"/*) ;; # one of ours: its release is the way back
    *)
      mkdir -p "${REPLACED%/*}"
      printf '%s\n' "$kept" >"$REPLACED.new"
      mv -f "$REPLACED.new" "$REPLACED"
      ;;
  esac
fi
mkdir -p "${BINARY%/*}"
rm -f "$BINARY.ongpu-new"
ln -s "$CURRENT/bin/ollama" "$BINARY.ongpu-new"
mv -fT "$BINARY.ongpu-new" "$BINARY"
