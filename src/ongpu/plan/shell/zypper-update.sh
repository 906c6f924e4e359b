# SOURCE (text of our .repo file) ID URL PACKAGE BRANCH SPOOL OFFERS (file) HEADER KEYRING
# Ours is asked by itself, before the host's own zypper ever sees it: `zypper refresh` of all repositories passes over one
# that cannot be reached.
repos=$SPOOL/repos
mkdir -p "$repos" "${OFFERS%/*}"
trap 'rm -rf "$repos" "$SPOOL/cache"' EXIT
printf '%s' "$SOURCE" >"$repos/asked.repo"
rpm --import "$KEYRING" || die "rpm does not accept the key $KEYRING"
set -- --reposd-dir "$repos" --cache-dir "$SPOOL/cache"
zypp "$@" refresh --force "$ID" || die "the package repository $URL cannot be used: $why"
# v | nvidia-compute-utils-G06 | package | 580.95.05-1 | x86_64 | NVIDIA driver
zypper --non-interactive --no-color "$@" --no-refresh search --details --type package --repo "$ID" |
  awk -F'|' 'NF == 6 { gsub(/ /, "", $2); gsub(/ /, "", $4); if ($4 ~ /^[0-9]/) print $2, $4 }' >"$repos/list"
keep_offers "$repos/list"
