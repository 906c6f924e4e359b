#!/bin/sh
# mokutil of a lab host, in the words of mokutil 0.6: the state of Secure Boot, and the keys that the firmware knows.
set -eu
. /usr/lib/ongpu-lab/common.sh
mok=/var/lib/ongpu-lab/mok
name() { sha256sum <"$1" | cut -c 1-16; }
[ -d /sys/firmware/efi ] || { echo "EFI variables are not supported on this system" >&2; exit 1; }
case ${1:-} in
  --sb-state) case $(knob secure_boot enforced) in yes) echo "SecureBoot enabled" ;; *) echo "SecureBoot disabled" ;; esac ;;
  --test-key)
    [ -e "$2" ] || { echo "Failed to open $2" >&2; exit 255; }
    if [ -e "$mok/enrolled/$(name "$2")" ]; then echo "$2 is already enrolled"; exit 1; fi
    if [ -e "$mok/new/$(name "$2")" ]; then echo "$2 is already in the enrollment request"; exit 1; fi
    echo "$2 is not enrolled"
    ;;
  --list-enrolled | --list-new)
    for key in "$mok/${1#--list-}"/*; do
      [ -e "$key" ] || continue
      printf '[key 1]\nSHA1 Fingerprint: %s\n        Subject: CN=DKMS module signing key\n' "${key##*/}"
    done
    ;;
  --import)
    [ "$(id -u)" = 0 ] || { echo "This command requires root privilege." >&2; exit 1; }
    read -r first
    read -r second
    [ -n "$first" ] && [ "$first" = "$second" ] || { echo "Abort" >&2; exit 1; }
    cp "$2" "$mok/new/$(name "$2")"
    ;;
  *) echo "mokutil: the lab knows no $*" >&2; exit 1 ;;
esac
