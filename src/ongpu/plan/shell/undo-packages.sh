# PACKAGES (name=version ... name- ...: to remove; may be empty) HOLD UNHOLD (names)
# shellcheck disable=SC2086 # lists
{
  [ -z "$UNHOLD" ] || apt-mark unhold $UNHOLD >/dev/null
  if [ -n "$PACKAGES" ]; then
    set -- --no-install-recommends --allow-downgrades --allow-change-held-packages
    apt_get --simulate install "$@" $PACKAGES || { apt_get update && apt_get --simulate install "$@" $PACKAGES; } ||
      die "apt cannot put the packages back: ${why#E: }"
    apt_get install "$@" $PACKAGES || die "${why#E: }"
  fi
  [ -z "$HOLD" ] || apt-mark hold $HOLD >/dev/null
}
