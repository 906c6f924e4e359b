# The initramfs of every kernel that is installed
if command -v update-initramfs >/dev/null 2>&1; then
  said=$(update-initramfs -u -k all 2>&1) || die "update-initramfs failed: $(printf '%s\n' "$said" | tail -n 1)"
elif command -v dracut >/dev/null 2>&1; then
  said=$(dracut --force --regenerate-all 2>&1) || die "dracut failed: $(printf '%s\n' "$said" | tail -n 1)"
fi
