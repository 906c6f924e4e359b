#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
# As /etc/kernel/header_postinst.d/dkms does
if command -v dkms >/dev/null; then
  echo "dkms: running auto installation service for kernel @KERNEL@."
  dkms autoinstall -k "@KERNEL@"
fi
