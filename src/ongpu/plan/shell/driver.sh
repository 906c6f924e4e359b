# INSTALL (name=version ... name- ...: to remove) SHORT (the same in few words) VERSION (upstream) EXTRAS (names)
# OLD (name=version ..., may be empty) HOLD (yes or empty)
# BROKEN (packages that dpkg calls half-installed, may be empty)
# ONLY (fetch: the packages, and nothing else; empty: all) UNINSTALLER (of a driver by NVIDIA's .run installer, may be empty)
# PREBUILT (names of prebuilt modules without their kernel, may be empty) ALSO (names that belong to the driver as well)
kernel=$(uname -r)

# available NAME: a version of the driver release that is being installed
available() {
  apt-cache madison "$1" 2>/dev/null | awk -F'|' -v v="$VERSION" \
    '{ gsub(/ /, "", $2); if (index($2, v) == 1) { print $2; exit } }'
}

# A package that fails to configure may be the one that this install replaces, so this may fail.
[ -z "$BROKEN" ] || [ -n "$ONLY" ] || dpkg --configure -a || :

want=$INSTALL
for name in $EXTRAS; do
  found=$(available "$name")
  [ -z "$found" ] || want="$want $name=$found"
done
# Prebuilt modules: the meta package follows the newest kernel; those for the running one are another package.
for name in $PREBUILT; do
  apt-cache show "$name$kernel" >/dev/null 2>&1 ||
    die "there are no prebuilt modules for the running kernel $kernel ($name$kernel): upgrade the kernel, reboot, and" \
      "run again; nothing was changed"
  want="$want $name$kernel"
done
# DKMS builds for the running kernel and, by the flavour's meta package, for the next one.
[ -n "$PREBUILT" ] || for name in "linux-headers-$kernel" "linux-headers-${kernel##*[0-9]-}"; do
  if apt-cache show "$name" >/dev/null 2>&1; then want="$want $name"; fi
done

set -- --no-install-recommends --allow-downgrades --allow-change-held-packages
# shellcheck disable=SC2086 # a list
apt_get --simulate install "$@" $want || die "apt cannot install $SHORT: ${why#E: }"
# shellcheck disable=SC2086
foresight=$(apt-get -q --simulate install "$@" $want)
gone=$(printf '%s\n' "$foresight" | awk '$1 == "Remv" { print $2 }' |
  grep -Ev '^(nvidia|libnvidia|libcuda|cuda-drivers|libnv|libxnvctrl|firmware-nvidia|xserver-xorg-video-nvidia)' || :)
[ -z "$gone" ] || die "apt would also remove $(printf '%s' "$gone" | tr '\n' ' ')"
if command -v dkms >/dev/null 2>&1 || printf '%s\n' "$foresight" | grep -q '^Inst dkms '; then
  [ -e "/lib/modules/$kernel/build" ] || printf '%s\n' "$foresight" | grep -q "^Inst linux-headers-$kernel " ||
    die "there are no kernel headers for $kernel, so DKMS could not build the module; nothing was changed"
fi

if [ "$ONLY" = fetch ]; then
  # shellcheck disable=SC2086
  apt_get --download-only install "$@" $want || die "$why; nothing was changed"
  exit 0
fi
if [ -n "$UNINSTALLER" ]; then
  # Its files would lie over those of the packages. From here there is no way back, so the packages come first.
  # shellcheck disable=SC2086
  apt_get --download-only install "$@" $want || die "$why; nothing was changed"
  said=$("$UNINSTALLER" --silent 2>&1) || die "$UNINSTALLER failed: $(printf '%s\n' "$said" | tail -n 1)"
fi

# shellcheck disable=SC2086
if ! apt_get install "$@" $want; then
  failed=$why
  [ -n "$OLD" ] || die "$failed"
  # shellcheck disable=SC2086
  if apt_get install "$@" $OLD; then die "$failed; the previous driver was put back"; fi
  die "$failed; putting the previous driver back failed too: $why"
fi
# shellcheck disable=SC2086 # a list of names
[ -z "$HOLD" ] || hold_driver "$VERSION" $ALSO
