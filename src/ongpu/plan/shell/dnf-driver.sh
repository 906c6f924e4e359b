# INSTALL (name-version ...) VERSION (upstream) STREAM (of the module nvidia-driver, may be empty) EXTRAS (names)
# HEADERS (names, @ = the running kernel) BUILDER (repository for this step only) EPEL (package that adds it)
# REMOVE (names) OLD (name-version ..., may be empty) BROKEN (names that are there twice) KEYRING HOLD (yes or empty)
kernel=$(uname -r)
# A lock is for others: ours would hide what is declared now.
set --
is_dnf5 || set -- --disableplugin=versionlock
[ -z "$BUILDER" ] || ! dnf -q repolist --all 2>/dev/null | grep -q "^$BUILDER " || set -- "$@" "--enablerepo=$BUILDER"

offered() { [ -n "$(dnf -q repoquery "$1" 2>/dev/null)" ]; }
# An interrupted transaction leaves two versions of a package behind.
# shellcheck disable=SC2086 # a list of names
[ -z "$BROKEN" ] || dnf_run remove --duplicates $BROKEN || :
if ! command -v dkms >/dev/null 2>&1 && ! offered dkms; then
  [ -n "$EPEL" ] || die "no enabled repository has dkms: enable EPEL on this host; nothing was changed"
  dnf_run install "$EPEL" || die "dkms comes from EPEL, which cannot be added: ${why#Error: }"
fi
# A 64 KiB kernel has packages of its own: 5.14.0-503.el9.aarch64+64k
size=
case $kernel in *+64k) size=64k- ;; esac
release=${kernel%+64k}
want=$INSTALL
for name in $HEADERS; do
  case $name in kernel-devel*) name=kernel-$size${name#kernel-} ;; esac
  case $name in *@) name=${name%@}$release ;; esac
  if [ "$name" != "kernel-${size}devel-$release" ]; then
    ! offered "$name" || want="$want $name"
  elif [ ! -e "/lib/modules/$kernel/build" ]; then
    offered "$name" ||
      die "there are no kernel headers for the running kernel ($name is not offered any more): upgrade the kernel," \
        "reboot, and run again; nothing was changed"
    want="$want $name"
  fi
done
rpm --import "$KEYRING" || die "rpm does not accept the key $KEYRING"
if [ -n "$STREAM" ]; then
  dnf_run module reset "${STREAM%%:*}" || die "dnf cannot reset the module ${STREAM%%:*}: ${why#Error: }"
  dnf_run module enable "$STREAM" || die "dnf cannot enable the module stream $STREAM: ${why#Error: }"
fi
# dnf 5 knows no other way past a lock. What was unlocked here is locked again at the end, or by the next run.
if is_dnf5; then
  for name in $(of_release ""); do dnf -q versionlock delete "$name" >/dev/null 2>&1 || :; done
fi
for name in $EXTRAS; do
  found=$(dnf -q "$@" repoquery --queryformat '%{name}-%{epoch}:%{version}-%{release}\n' "$name-$VERSION*" 2>/dev/null |
    sort -V | tail -n 1)
  want="$want${found:+ $found}"
done
# shellcheck disable=SC2086 # a list
gone=$(dnf --assumeno "$@" install --allowerasing $want 2>/dev/null | awk '
  /^Removing/ { removing = 1; next } /^[^ ]/ { removing = 0 } removing && NF { print $1 }' |
  grep -Ev '^(nvidia|libnvidia|kmod-nvidia|cuda-drivers|dnf-plugin-nvidia|xorg-x11-nvidia)' || :)
[ -z "$gone" ] || die "dnf would also remove $(printf '%s' "$gone" | tr '\n' ' ')"
# shellcheck disable=SC2086
if ! dnf_run "$@" install --allowerasing $want; then
  failed=${why#Error: }
  # shellcheck disable=SC2086
  if [ -z "$OLD" ] || rpm -q $OLD >/dev/null 2>&1; then die "$failed"; fi
  # shellcheck disable=SC2086
  if dnf_run "$@" install --allowerasing $OLD; then die "$failed; the previous driver was put back"; fi
  die "$failed; putting the previous driver back failed too: ${why#Error: }"
fi
# shellcheck disable=SC2046 # a list of names
[ -z "$HOLD" ] || lock $(of_release "$VERSION")
