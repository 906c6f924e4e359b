# SWITCH_FAILED (note that the next run reads) TO (driver branch) HEADER

# again SCRIPT: one of the scripts that this one carries
again() { printf '%s' "$1" | sh -s; }

# last COMMAND...: its last line in `said`
last() { said=$("$@" 2>&1) && return 0; said=$(printf '%s\n' "$said" | tail -n 1); return 1; }

# unfit WHY: notes that the driver TO does not run on this host, for the next run. Whatever else fails is tried again.
unfit() {
  printf '# %s. Not tried again while this file is here.\nto: %s\nwhy: %s\n' "$HEADER" "$TO" "$1" >"$SWITCH_FAILED.new"
  mv -f "$SWITCH_FAILED.new" "$SWITCH_FAILED"
}
