# INSTALL (script that installs another driver; empty: the installed one is to be loaded) LOAD (script) CONFIRM (script)
# BACK (script that puts the previous one back, may be empty) REBUILD (its module for the kernel that boots next)
# BUILD (script for the kernel that boots next, may be empty)
# RELOAD_FAILED (note that the next run reads)
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

# In the order of what may go wrong: an installation that fails has put the old packages back itself.
failed=
lost=
if [ -n "$INSTALL" ]; then
  last again "$INSTALL" || failed=$said
  unload || :
  if [ -z "$failed" ] && [ -n "$BUILD" ]; then last again "$BUILD" || { failed=$said; lost=yes; }; fi
fi
[ -n "$lost" ] || last again "$LOAD" || { failed="${failed:+$failed; }$said"; lost=yes; }
case $lost$failed in yes* | *'for module build'*) [ -z "$INSTALL" ] || unfit "$failed" ;; esac
if [ -n "$lost" ] && [ -n "$BACK" ]; then
  if last again "$BACK" && unload && last again "$LOAD"; then
    failed="$failed; the previous driver was put back and is loaded"
  else
    failed="$failed; putting the previous driver back failed too: $said"
  fi
elif [ -z "$failed" ]; then
  last again "$CONFIRM" || failed="the driver was exchanged, but $said"
fi
started
if [ -n "$failed" ]; then
  # The new packages took the old module for the next kernel along. It is not waited for to serve again.
  [ -z "$REBUILD" ] || again "$REBUILD" >/dev/null 2>&1 || :
  die "$failed"
fi
rm -f "$RELOAD_FAILED" "$SWITCH_FAILED"
# Whether Ollama starts is for the restart to see to, which comes later and looks into it (its program may be gone).
case $lame in "" | " $OLLAMA") ;; *) die "the driver was exchanged, but these do not start again:$lame" ;; esac
