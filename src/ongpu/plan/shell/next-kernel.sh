# KERNEL (release) VERSION (of the driver; the beginning of it) HEADERS (package of that kernel's headers; empty: none)
on_disk() {
  for name in nvidia nvidia-current nvidia-current-open; do
    modinfo -k "$KERNEL" -F version "$name" 2>/dev/null && return 0
  done
  return 0
}
case $(on_disk) in "$VERSION"*) exit 0 ;; esac
if [ ! -e "/lib/modules/$KERNEL/build" ] && [ -n "$HEADERS" ]; then
  apt_get install --no-install-recommends "$HEADERS" || die "$HEADERS cannot be installed: ${why#E: }"
fi
[ -e "/lib/modules/$KERNEL/build" ] || die "there are no kernel headers for $KERNEL, so DKMS cannot build the module"
case $(on_disk) in "$VERSION"*) exit 0 ;; esac
said=$(dkms autoinstall -k "$KERNEL" 2>&1) || :
case $(on_disk) in "$VERSION"*) exit 0 ;; esac
# shellcheck disable=SC2012 # names of releases
log=$(ls -t /var/lib/dkms/nvidia*/*/build/make.log 2>/dev/null | head -n 1)
lines=$([ -z "$log" ] || grep -m 3 -E 'error:|Error [0-9]|\*\*\*' "$log" | tr '\n' ';')
die "the module does not build for $KERNEL: ${lines:-$(printf '%s\n' "$said" | tail -n 1)}${log:+ ($log)}"
