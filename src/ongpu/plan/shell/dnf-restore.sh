# REMOVE HOLD UNHOLD (names; each may be empty)
# shellcheck disable=SC2086 # lists of names
{
  for name in $UNHOLD $REMOVE; do dnf -q versionlock delete "$name" >/dev/null 2>&1 || :; done
  [ -z "$REMOVE" ] || dnf_run remove --noautoremove $REMOVE || die "dnf cannot remove the packages: ${why#Error: }"
  [ -z "$HOLD" ] || lock $HOLD
}
