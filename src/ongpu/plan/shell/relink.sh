# PACKAGES (name=version of the driver's libraries as they are installed; may be empty)
# The loader's cache first; packages whose files are gone are unpacked again in the same version.
there() { ldconfig -p | grep -q 'libcuda\.so\.1 ' && ldconfig -p | grep -q 'libnvidia-ml\.so\.1 '; }
ldconfig
if there; then exit 0; fi
[ -n "$PACKAGES" ] || die "libcuda.so.1 or libnvidia-ml.so.1 is missing, and no package of the driver is installed that has it"
command -v apt-get >/dev/null 2>&1 || die "libcuda.so.1 or libnvidia-ml.so.1 is missing: install again $PACKAGES"
# shellcheck disable=SC2086 # a list of packages
said=$(apt-get -qq -y --reinstall --allow-downgrades --allow-change-held-packages --no-install-recommends \
  install $PACKAGES 2>&1) || die "could not install again $PACKAGES: $(printf '%s\n' "$said" | tail -n 1)"
ldconfig
there || die "libcuda.so.1 or libnvidia-ml.so.1 is missing, also after $PACKAGES was installed again"
