# UNIT MODULE (to unload and load again; may be empty)
# Ollama is stopped here and started by what comes after; if that cannot be reached, it is started at once.
trap 'systemctl start --no-block "$UNIT"' EXIT
trap 'exit 143' HUP INT TERM
systemctl stop "$UNIT"
if [ -n "$MODULE" ]; then
  name=$(printf '%s' "$MODULE" | tr - _)
  if [ -d "/sys/module/$name" ]; then
    said=$(rmmod "$MODULE" 2>&1) || die "$MODULE cannot be unloaded: ${said:-rmmod failed} (who uses it: fuser -v /dev/nvidia*)"
  fi
  said=$(modprobe "$MODULE" 2>&1) || die "$MODULE does not load: ${said:-modprobe failed}"
  ! command -v nvidia-modprobe >/dev/null 2>&1 || nvidia-modprobe -u -c=0 || :
fi
trap - EXIT
