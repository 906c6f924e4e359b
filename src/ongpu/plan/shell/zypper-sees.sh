# ID URL PACKAGE
zypp refresh "$ID" || die "zypper cannot use $URL: $why"
zypper --non-interactive --no-refresh --quiet search --match-exact "$PACKAGE" >/dev/null 2>&1 ||
  die "zypper does not see $PACKAGE although $URL offers it: look for the repository's priority and vendors"
