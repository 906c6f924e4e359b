# PACKAGES
# shellcheck disable=SC2086 # a list of names
zypp install --no-recommends $PACKAGES || die "$why"
