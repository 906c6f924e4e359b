# SOURCE (text of our .sources file; empty: the host's own sources name the repository) URL PACKAGE
# PATTERN (of its version) SPOOL
# Ours is asked for itself, before the host's own apt ever sees it: a repository that is down, unsigned or empty
# leaves the host's configuration alone. Plain `apt-get update` exits 0 when a repository cannot be reached.
set --
if [ -n "$SOURCE" ]; then
  mkdir -p "$SPOOL"
  file=$SPOOL/asked.sources
  trap 'rm -f "$file"' EXIT
  printf '%s' "$SOURCE" >"$file"
  set -- -o Dir::Etc::sourcelist="$file" -o Dir::Etc::sourceparts=/dev/null -o APT::Get::List-Cleanup=0
fi
apt_get update "$@" || die "the package repository $URL cannot be used: ${why#?: }"
offered=$(apt-cache "$@" madison "$PACKAGE" | awk -F'|' '{ gsub(/ /, "", $2); print $2 }')
[ -n "$offered" ] || die "the package repository $URL has no package $PACKAGE"
for version in $offered; do
  # shellcheck disable=SC2254 # a pattern
  case $version in $PATTERN) exit 0 ;; esac
done
die "the package repository $URL has no $PACKAGE $PATTERN; it offers $(printf '%s' "$offered" | tr '\n' ' ')"
