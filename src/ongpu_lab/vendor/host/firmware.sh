#!/bin/sh
# EFI firmware, where host.ini has a section [secure_boot]: `enforced = yes`. `console = enrol` is an operator who says
# yes to the MOK manager at the next boot; what waits for it is forgotten without one.
set -eu
. /usr/lib/ongpu-lab/common.sh
[ -n "$(knob secure_boot enforced)" ] || exit 0
mountpoint -q /sys/firmware || mount -t tmpfs -o mode=755,size=1m sys-firmware /sys/firmware
variables=/sys/firmware/efi/efivars
mkdir -p "$variables"
case $(knob secure_boot enforced) in yes) byte='\001' ;; *) byte='\000' ;; esac
# Four bytes of attributes, then the value (efivarfs)
printf "\\006\\000\\000\\000$byte" >"$variables/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
printf '\006\000\000\000\000' >"$variables/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c"
mok=/var/lib/ongpu-lab/mok
mkdir -p "$mok/new" "$mok/enrolled"
for key in "$mok"/new/*; do
  [ -e "$key" ] || continue
  if [ "$(knob secure_boot console)" = enrol ]; then mv "$key" "$mok/enrolled/"; else rm "$key"; fi
done
