# ID URL PACKAGE
set -- "--setopt=$ID.module_hotfixes=1"
is_dnf5 || set -- "$@" --disableplugin=versionlock
found=$(dnf -q "$@" repoquery "$PACKAGE" 2>/dev/null || :)
[ -n "$found" ] ||
  die "dnf does not see $PACKAGE although $URL offers it: look for excludepkgs or includepkgs in /etc/dnf/dnf.conf"
