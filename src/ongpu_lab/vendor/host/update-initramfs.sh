#!/bin/sh
# update-initramfs of a lab host: what of it matters here is which modules early boot may load.
mkdir -p /usr/lib/ongpu-lab/initramfs
rm -f /usr/lib/ongpu-lab/initramfs/*
cp /usr/lib/modprobe.d/*.conf /etc/modprobe.d/*.conf /usr/lib/ongpu-lab/initramfs/ 2>/dev/null
echo "update-initramfs: Generating /boot/initrd.img-$(uname -r)"
