# PACKAGES
# shellcheck disable=SC2086 # a list of names
apt_get install --no-install-recommends $PACKAGES && exit 0
# Lists may never have been fetched (a fresh image) or name versions that are gone.
apt_get update || die "apt-get update failed: $why"
# shellcheck disable=SC2086
apt_get install --no-install-recommends $PACKAGES || die "$why"
