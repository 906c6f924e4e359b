# LOAD (script) CONFIRM (script) NOTES (files of ours that are done with)
again "$LOAD"
start_units
again "$CONFIRM"
# shellcheck disable=SC2086 # a list of files
rm -f $NOTES
[ -z "$lame" ] || die "these do not start again:$lame"
