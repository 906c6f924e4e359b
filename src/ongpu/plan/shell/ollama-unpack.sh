# ARCHIVES (the release and its add-ons) VERSION RELEASES
new=$RELEASES/.new-$VERSION
old=$RELEASES/.old-$VERSION
mkdir -p "$RELEASES"
# Also what a run left behind that was killed while it unpacked another version.
rm -rf "$RELEASES"/.new-* "$RELEASES"/.old-*
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM
bytes=0
for archive in $ARCHIVES; do
  case $archive in *.zst) unpacker=zstd ;; *) unpacker=gzip ;; esac
  bytes=$((bytes + $($unpacker -dc "$archive" | wc -c)))
done
room "$RELEASES" $((bytes + 67108864))
mkdir -p "$new"
for archive in $ARCHIVES; do
  # The first complaint is the cause; what tar says last is that there were some.
  if ! said=$(tar -x --no-same-owner -C "$new" -f "$archive" 2>&1); then
    case $said in
      *'No space left'*) die "disk full: $RELEASES cannot hold ollama $VERSION" ;;
      *) die "the archive of ollama $VERSION cannot be unpacked: $(printf "%s\n" "$said" | grep -m 1 . || :)" ;;
    esac
  fi
done
[ -x "$new/bin/ollama" ] || die "the archive of ollama $VERSION has no bin/ollama"
[ -d "$new/lib/ollama" ] || die "the archive of ollama $VERSION has no lib/ollama"
chmod 0755 "$new"
sync -f "$new" 2>/dev/null || sync
[ ! -e "$RELEASES/$VERSION" ] || mv -T "$RELEASES/$VERSION" "$old"
mv -T "$new" "$RELEASES/$VERSION"
rm -rf "$old"
# shellcheck disable=SC2086 # a list
rm -f $ARCHIVES
