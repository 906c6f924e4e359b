#!/bin/sh
# Run once at each boot of a lab host: puts the simulated hardware where a kernel would show it, then does what udev and
# systemd-modules-load.service would do with kernel modules.
set -eu
. /usr/lib/ongpu-lab/common.sh
mkdir -p "$run" "$run/module" "$run/set" "$run/proc"
install -d -m 1777 "$run/procs"

# Only what is built into the kernel is loaded at boot; a GPU of the machine below is not this host's.
# shellcheck disable=SC2010 # names of modules
builtin=$(ls /sys/module | grep -Ev '^(nvidia|nouveau|nova_core)' || :)
mount -t tmpfs -o mode=755,size=4m sys-module /sys/module
for name in $builtin; do mkdir "/sys/module/$name"; done
mount -t tmpfs -o mode=755,size=4m sys-bus-pci /sys/bus/pci
cp -R "$lab/pci/." /sys/bus/pci/
mount --bind "$run/proc" /proc/driver

# PCI addresses are all that the kernel's log says about the hardware before a driver comes.
say 5 "$(cut -c 1-200 /proc/version)"
for address in $(gpus); do
  device=/sys/bus/pci/devices/$address
  read -r id <"$device/device"
  read -r class <"$device/class"
  say 6 "pci $address: [10de:${id#0x}] type 00 class $class PCIe Legacy Endpoint"
done

"$lab/firmware"
mkdir -p "/lib/modules/$kernel"
for index in order builtin builtin.modinfo; do : >>"/lib/modules/$kernel/modules.$index"; done
[ -e "/lib/modules/$kernel/modules.dep.bin" ] || depmod "$kernel"

# What the initramfs loads comes first, and knows only the blacklists that were put into it.
[ "$(knob host nouveau)" != yes ] || grep -qs '^blacklist nouveau$' "$lab"/initramfs/* || "$lab/nouveau"

# What a GPU keeps by itself: a pending ECC mode is in force after a boot.
for file in /var/lib/ongpu-lab/gpus/*.ecc_pending; do [ ! -e "$file" ] || mv "$file" "${file%_pending}"; done

# udev: the module that claims the GPU, unless it is blacklisted
[ -z "$(gpus)" ] || modprobe -b -q nvidia || :
# systemd-modules-load.service does nothing in a container; a file in /etc hides one of the same name in /usr/lib.
for directory in /etc/modules-load.d /run/modules-load.d /usr/local/lib/modules-load.d /usr/lib/modules-load.d; do
  for file in "$directory"/*.conf; do
    [ -r "$file" ] || continue
    case " ${seen:-} " in *" ${file##*/} "*) continue ;; esac
    seen="${seen:-} ${file##*/}"
    sed -e 's/[#;].*//' "$file" | while read -r name; do
      [ -z "$name" ] || modprobe -b "$name" || echo "Failed to find module '$name'"
    done
  done
done
