# INSTALL (name=version ...) ALSO (names) VERSION (upstream) EXTRAS (names) REMOVE (names)
# OLD (name=version ..., may be empty) HOLD (yes or empty)

# of_release VERSION (or the beginning of it, 580): every installed package of this driver release, and its modules
of_release() {
  rpm -qa --queryformat '%{NAME} %{VERSION}\n' | awk -v v="$1" -v also=" $ALSO " '
    { sub(/_.*/, "", $2) }
    index(also, " " $1 " ") { print $1; next }
    $2 ~ /^[0-9][0-9][0-9]\.[0-9.]+$/ && ($2 == v || index($2, v ".") == 1) { print $1 }' | sort -u
}

# of_this NAME: the version of it that belongs to this driver release (of modules: 580.95.05_k6.4.0_150600.21-1)
of_this() {
  zypper --non-interactive --no-refresh --no-color search --details --match-exact "$1" 2>/dev/null |
    awk -F'|' -v v="$VERSION" 'NF == 6 { gsub(/ /, "", $4); if (index($4, v) == 1) { print $4; exit } }'
}

# shellcheck disable=SC2086 # a list of names
relock() { [ -z "$locked" ] || zypp addlock $locked || :; }

want=$INSTALL
for name in $ALSO; do
  found=$(of_this "$name")
  [ -n "$found" ] || die "no enabled repository has $name $VERSION; nothing was changed"
  want="$want $name=$found"
done
for name in $EXTRAS; do
  found=$(of_this "$name")
  [ -z "$found" ] || want="$want $name=$found"
done
for name in $REMOVE; do want="$want !$name"; done
locked=$(awk '$1 == "solvable_name:" && $2 ~ /nvidia|nv-prefer/ { print $2 }' /etc/zypp/locks 2>/dev/null || :)
# shellcheck disable=SC2086 # a list of names
[ -z "$locked" ] || zypp removelock $locked || die "zypper cannot take its locks away: $why"
# Packages of another generation are in conflict with these; what goes for them is looked at before.
set -- install --no-recommends --oldpackage --auto-agree-with-licenses --force-resolution
# shellcheck disable=SC2086 # a list
gone=$(zypper --non-interactive --no-color --no-refresh "$@" --dry-run $want 2>/dev/null | awk '
  /going to be REMOVED:/ { removing = 1; next } !NF { removing = 0 } removing' | tr -s ' ' '\n' |
  grep -Ev '^(nvidia|libnvidia|nv-prefer|cuda-drivers|$)' || :)
[ -z "$gone" ] || { relock; die "zypper would also remove $(printf '%s' "$gone" | tr '\n' ' ')"; }
# shellcheck disable=SC2086 # a list
if ! zypp "$@" $want; then
  failed=$why
  # shellcheck disable=SC2086,SC2046 # lists
  if [ -n "$OLD" ] && ! rpm -q $(printf '%s\n' $OLD | tr '=' '-') >/dev/null 2>&1; then
    if zypp "$@" $OLD; then
      failed="$failed; the previous driver was put back"
    else
      failed="$failed; putting the previous driver back failed too: $why"
    fi
  fi
  relock
  die "$failed"
fi
[ -n "$HOLD" ] || exit 0
# shellcheck disable=SC2046 # a list of names
zypp addlock $(of_release "$VERSION") || die "zypper cannot lock the driver's packages: $why"
