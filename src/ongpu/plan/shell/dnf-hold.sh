# NAMES
# shellcheck disable=SC2086 # a list of names
lock $NAMES
