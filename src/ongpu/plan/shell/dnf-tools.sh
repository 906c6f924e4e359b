# PACKAGES
# shellcheck disable=SC2086 # a list of names
dnf_run install $PACKAGES || die "${why#Error: }"
