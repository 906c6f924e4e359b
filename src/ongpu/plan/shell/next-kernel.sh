# KERNEL (release) VERSION (of the driver; the beginning of it) HEADERS (package of that kernel's headers; empty: none)
is_built() {
  for name in nvidia nvidia-current nvidia-current-open; do
    case $(modinfo -k "$KERNEL" -F version "$name" 2>/dev/null || :) in "$VERSION"*) return 0 ;; esac
  done
  return 1
}
! is_built || exit 0
failed=
if [ ! -e "/lib/modules/$KERNEL/build" ] && [ -n "$HEADERS" ]; then
  # Their installation has DKMS build; where that fails they are left half-installed, and every later apt trips on them.
  apt_get install --no-install-recommends "$HEADERS" || {
    failed="$HEADERS cannot be installed: ${why#E: }"
    apt_get purge "$HEADERS" || :
  }
fi
if [ -z "$failed" ] && ! is_built; then
  [ -e "/lib/modules/$KERNEL/build" ] || die "there are no kernel headers for $KERNEL, so DKMS cannot build the module"
  failed=$(dkms autoinstall -k "$KERNEL" 2>&1 | tail -n 1)
fi
! is_built || exit 0
lines=
for log in /var/lib/dkms/nvidia*/*/build/make.log; do
  head -n 1 "$log" 2>/dev/null | grep -qF "$KERNEL" || continue
  lines=$(grep -m 3 -E 'error:|Error [0-9]|\*\*\*' "$log" | tr '\n' ';')
  break
done
die "the module does not build for $KERNEL, which boots next: ${lines:-$failed}${lines:+ ($log)}"
