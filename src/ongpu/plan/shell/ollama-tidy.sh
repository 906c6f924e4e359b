# OLD (versions) RELEASES
for version in $OLD; do
  for exe in /proc/[0-9]*/exe; do
    case $(readlink "$exe" 2>/dev/null || :) in
      "$RELEASES/$version"/*) die "ollama $version still runs (process $(basename "${exe%/exe}")): it was left alone" ;;
    esac
  done
  [ -d "$RELEASES/$version" ] || continue
  # Out of sight first: half a tree under a version's name would be taken for that release.
  rm -rf "$RELEASES/.old-$version"
  mv -T "$RELEASES/$version" "$RELEASES/.old-$version"
  rm -rf "$RELEASES/.old-$version"
done
