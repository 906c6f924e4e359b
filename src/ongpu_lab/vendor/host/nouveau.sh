#!/bin/sh
# The kernel's own driver takes the GPUs that nobody has.
set -eu
. /usr/lib/ongpu-lab/common.sh
mkdir -p "$loaded/nouveau/holders" /sys/bus/pci/drivers/nouveau
echo 1 >"$loaded/nouveau/refcnt"
for address in $(gpus); do
  [ -e "/sys/bus/pci/devices/$address/driver" ] || ln -s ../../drivers/nouveau "/sys/bus/pci/devices/$address/driver"
  say 6 "nouveau $address: NVIDIA AD107 (197000a1)"
done
