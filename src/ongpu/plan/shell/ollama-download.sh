# BASE (URL without / at its end) FILE (its name there) SUM (sha256, empty: the release's own list) ARCHIVE RELEASES
mkdir -p "${ARCHIVE%/*}" "$RELEASES"
if [ -n "$SUM" ]; then
  says="the inventory says"
else
  list=$ARCHIVE.sums
  rm -f "$list"
  fetch "$BASE/sha256sum.txt" "$list"
  # 8a1b...  ./ollama-linux-amd64.tar.zst
  SUM=$(awk -v file="$FILE" '{ name = $2; sub(/^\*/, "", name); sub(/^\.\//, "", name) } name == file { print $1; exit }' "$list")
  rm -f "$list"
  [ -n "$SUM" ] || die "$BASE/sha256sum.txt does not list $FILE"
  says="the release's list says"
fi
got=
[ ! -f "$ARCHIVE" ] || got=$(checksum "$ARCHIVE")
case $BASE in file://*)
  # Copied from the controller: there is nothing to fetch it from.
  [ "$got" = "$SUM" ] || { rm -f "$ARCHIVE"; die "sha256 of the copied $FILE is ${got:-unknown}, $says $SUM"; }
  rm -rf "${BASE#file://}"
  exit 0
  ;;
esac
if [ "$got" != "$SUM" ]; then
  resumed=$got
  length=$(length_of "$BASE/$FILE")
  [ -z "$length" ] || room "${ARCHIVE%/*}" $((length - $(size_of "$ARCHIVE")))
  fetch "$BASE/$FILE" "$ARCHIVE"
  got=$(checksum "$ARCHIVE")
  if [ "$got" != "$SUM" ] && [ -n "$resumed" ]; then
    # The first part may be of another file of the same name.
    rm -f "$ARCHIVE"
    fetch "$BASE/$FILE" "$ARCHIVE"
    got=$(checksum "$ARCHIVE")
  fi
fi
[ "$got" = "$SUM" ] || { rm -f "$ARCHIVE"; die "sha256 of $BASE/$FILE is $got, $says $SUM"; }
