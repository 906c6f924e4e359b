#!/bin/sh
# nv-fabricmanager of a lab host: sets the simulated NVSwitches up, for a driver of exactly its own release.
set -eu
case ${1:-} in
  -v | --version) echo "Fabric Manager version is : @VERSION@"; exit 0 ;;
esac
[ -e /etc/ongpu-lab/host.ini ] || { echo "nv-fabricmanager: this is the ongpu lab's stand-in, it runs only on lab hosts" >&2; exit 1; }
found=
for device in /sys/bus/pci/devices/*; do
  [ -r "$device/class" ] && grep -q '^0x0680' "$device/class" && found=yes
done
if [ -z "$found" ]; then
  echo "request to query NVSwitch device information from NVSwitch driver failed with error:WARNING Nothing to do [NV_WARN_NOTHING_TO_DO]"
  exit 1
fi
loaded=$(cat /run/ongpu-lab/module/version 2>/dev/null || echo none)
if [ "$loaded" != "@VERSION@" ]; then
  echo "fabric manager NVIDIA GPU driver interface version @VERSION@ don't match with driver version $loaded. Please update with matching NVIDIA driver package."
  exit 1
fi
: >/run/ongpu-lab/fabric
systemd-notify --ready
exec sleep infinity
