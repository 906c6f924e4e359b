#!/bin/sh
# rmmod PROGRAM NAME...: unloads simulated modules, in the words of PROGRAM (rmmod or modprobe)
set -eu
. /usr/lib/ongpu-lab/common.sh
program=$1
shift
for argument; do
  case $argument in -*) continue ;; esac
  name=$(basename "$argument" .ko | tr - _)
  if [ ! -e "$loaded/$name/version" ]; then
    case $program in
      modprobe) echo "modprobe: FATAL: Module $name is not currently loaded." >&2 ;;
      *) echo "rmmod: ERROR: Module $name is not currently loaded" >&2 ;;
    esac
    exit 1
  fi
  read -r count <"$loaded/$name/refcnt"
  if [ "$name" = nvidia ] || [ "$name" = nvidia_uvm ]; then
    for file in "$run"/procs/*; do [ ! -d "/proc/${file##*/}" ] || count=$((count + 1)); done
    ! pidof nvidia-persistenced >/dev/null || [ "$name" != nvidia ] || count=$((count + 1))
  fi
  if [ "$count" -gt 0 ]; then
    case $program in
      modprobe) echo "modprobe: FATAL: Module $name is in use." >&2 ;;
      *) echo "rmmod: ERROR: Module $name is in use" >&2 ;;
    esac
    exit 1
  fi
  if [ "$name" = nvidia ]; then
    rm -rf "$run"/module/* "$run"/set/* /proc/driver/nvidia /sys/bus/pci/drivers/nvidia /dev/nvidia[0-9]* /dev/nvidiactl
    for device in /sys/bus/pci/devices/*; do
      [ "$(readlink "$device/driver" || :)" != ../../drivers/nvidia ] || rm -f "$device/driver"
    done
    say 6 "nvidia-nvlink: Unregistered Nvlink Core, major device number 234"
  else
    rm -f "$loaded/nvidia/holders/$name"
    read -r count <"$loaded/nvidia/refcnt"
    echo $((count - 1)) >"$loaded/nvidia/refcnt"
  fi
  if [ "$name" = nvidia_uvm ]; then
    rm -f "$run/module/uvm" "$run/module/cuinit" /dev/nvidia-uvm /dev/nvidia-uvm-tools
    say 6 "nvidia-uvm: Unloaded the UVM driver."
  fi
  rm -rf "${loaded:?}/$name"
done
