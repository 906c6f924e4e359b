# INSTALL (script that installs another driver; empty: the installed one is to be loaded) LOAD (script) CONFIRM (script)
# BACK (script that puts the previous one back, may be empty) RELOAD_FAILED (note that the next run reads)
started() { start_units; [ -z "$lame" ] || printf 'these do not start:%s\n' "$lame"; }

stop_units
# Whatever asks the driver something while it is unloaded (a monitor's nvidia-smi) loads it again: so a few times.
gone=
for try in 1 2 3; do
  if unload; then gone=yes; break; fi
  [ "$try" = 3 ] || sleep 1
done
if [ -z "$gone" ]; then
  why="the kernel module cannot be unloaded: $said; $(holders)"
  printf '# %s. The module is not unloaded again in this boot.\nwhy: %s\nboot: %s\n' "$HEADER" \
    "$(printf '%s' "$why" | tr '\n' ' ')" "$(cat /proc/sys/kernel/random/boot_id)" >"$RELOAD_FAILED.new"
  mv -f "$RELOAD_FAILED.new" "$RELOAD_FAILED"
  again "$LOAD" || :
  started
  die "$why holds it; nothing was changed, and what was stopped was started again; run again to see what else would do"
fi
# last COMMAND...: its last line in `said`
last() { said=$("$@" 2>&1) && return 0; said=$(printf '%s\n' "$said" | tail -n 1); return 1; }

failed=
if [ -n "$INSTALL" ]; then
  last again "$INSTALL" || failed=$said
  unload || :
fi
if ! last again "$LOAD"; then
  failed="${failed:+$failed; }$said"
  if [ -n "$BACK" ]; then
    if last again "$BACK" && unload && last again "$LOAD"; then
      failed="$failed; the previous driver was put back and is loaded"
    else
      failed="$failed; putting the previous driver back failed too: $said"
    fi
  fi
elif [ -z "$failed" ]; then
  last again "$CONFIRM" || failed="the driver was exchanged, but $said"
fi
started
[ -z "$failed" ] || die "$failed"
rm -f "$RELOAD_FAILED"
[ -z "$lame" ] || die "the driver was exchanged, but these do not start again:$lame"
