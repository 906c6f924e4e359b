# REMOVE HOLD UNHOLD (names; each may be empty)
# shellcheck disable=SC2086 # lists of names
{
  [ -z "$UNHOLD$REMOVE" ] || zypp removelock $UNHOLD $REMOVE || die "zypper cannot take its locks away: $why"
  [ -z "$REMOVE" ] || zypp remove $REMOVE || die "zypper cannot remove the packages: $why"
  [ -z "$HOLD" ] || zypp addlock $HOLD || die "zypper cannot lock the driver's packages: $why"
}
