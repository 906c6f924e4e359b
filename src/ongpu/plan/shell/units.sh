# UNITS (that hold the GPU and may be stopped, in this order) STOPPED (file: those that were) HEADER OLLAMA (unit)
# API (of Ollama, may be empty) SECONDS_LIMIT
: "${ONGPU_ROOT:=}" # where the tests keep a host's files

# Before the first one is stopped, all are noted: what a killed run leaves stopped, the next one starts.
stop_units() {
  running=
  for unit in $UNITS; do
    case $(systemctl show --property ActiveState --value "$unit" 2>/dev/null) in
      active | activating | reloading) running="$running $unit" ;;
    esac
  done
  # shellcheck disable=SC2086 # a list of units
  {
    printf '# %s. Stopped for the exchange of the driver; started again after it.\n' "$HEADER"
    { noted; printf '%s\n' $running; } | grep . | sort -u
  } >"$STOPPED.new"
  mv -f "$STOPPED.new" "$STOPPED"
  for unit in $running; do
    systemctl stop "$unit" || { start_units; die "$unit cannot be stopped; what was stopped was started again"; }
  done
}

noted() { [ ! -f "$STOPPED" ] || grep -v '^#' "$STOPPED" || :; }

# The other way round; Ollama last, when the GPUs are ready. A unit that does not start is said and hinders no other.
start_units() {
  late=
  lame=
  reverse=
  for unit in $UNITS; do reverse="$unit $reverse"; done
  for unit in $reverse; do
    noted | grep -qxF "$unit" || continue
    systemctl reset-failed "$unit" 2>/dev/null || :
    if ! systemctl start "$unit"; then lame="$lame $unit"
    elif [ "$unit" = "$OLLAMA" ]; then late=yes; fi
  done
  rm -f "$STOPPED"
  # Ollama answers only after it has looked for GPUs.
  [ -n "$late" ] && [ -n "$API" ] || return 0
  until=$(($(date +%s) + SECONDS_LIMIT))
  while [ "$(date +%s)" -lt "$until" ]; do
    if curl --noproxy '*' --globoff --fail --silent --output /dev/null --max-time 5 "$API/api/version"; then return 0; fi
    sleep 1
  done
}

# unload: or why not in `said`. The last one carries the others; peermem, fs and gdrdrv belong to GPUDirect.
unload() {
  for module in nvidia_peermem nvidia_fs gdrdrv nvidia_uvm nvidia_drm nvidia_modeset nvidia; do
    [ -d "$ONGPU_ROOT/sys/module/$module" ] || continue
    said=$(rmmod "$module" 2>&1) || return 1
  done
}

# Programs that hold one of NVIDIA's device nodes, in words
holders() {
  found=
  for process in "$ONGPU_ROOT"/proc/[0-9]*; do
    # shellcheck disable=SC2010,SC2012 # targets of links
    if ls -l "$process/fd" 2>/dev/null | grep -q " $ONGPU_ROOT/dev/nvidia"; then
      found="${found:+$found, }$(cat "$process/comm" 2>/dev/null) (pid ${process##*/})"
    fi
  done
  printf '%s' "${found:-nobody that can be seen}"
}
