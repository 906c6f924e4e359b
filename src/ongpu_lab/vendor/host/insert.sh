#!/bin/sh
# insert PATH: the kernel's part of loading one of NVIDIA's modules. Says the error (as strerror does) and exits with 1
# when the module would refuse.
set -eu
. /usr/lib/ongpu-lab/common.sh
path=$1
name=$(basename "$path" .ko | tr - _)
! is_loaded "$name" || exit 0
[ "$(id -u)" = 0 ] || { echo "Operation not permitted"; exit 1; }
# With Secure Boot, only modules that are signed with a key that the firmware knows
if [ "$(knob secure_boot enforced)" = yes ] && [ -d /sys/firmware/efi ]; then
  why=
  if [ -z "$(modinfo -F signer "$path")" ]; then why="unsigned module"
  elif [ -z "$(ls /var/lib/ongpu-lab/mok/enrolled 2>/dev/null)" ]; then why="module with unavailable key"; fi
  [ -z "$why" ] || { say 5 "Loading of $why is rejected"; echo "Key was rejected by service"; exit 1; }
fi
# One at a time, as in the kernel
exec 8>"$run/insert.lock"
flock 8
! is_loaded "$name" || exit 0
version=$(modinfo -F version "$path")
license=$(modinfo -F license "$path")
case $license in NVIDIA) flavour=proprietary ;; *) flavour=open ;; esac

appears() { # /sys/module/NAME
  mkdir "$loaded/$name"
  echo live >"$loaded/$name/initstate"
  echo 0 >"$loaded/$name/refcnt"
  echo "$version" >"$loaded/$name/version"
  echo OE >"$loaded/$name/taint"
  mkdir "$loaded/$name/holders" "$loaded/$name/parameters"
}

# uses NAME: this module holds another one
uses() {
  ln -s "../../$name" "$loaded/$1/holders/$name"
  read -r count <"$loaded/$1/refcnt"
  echo $((count + 1)) >"$loaded/$1/refcnt"
}

# refused ADDRESS: why this release and flavour of the driver cannot drive the GPU; empty if it can.
# Turing begins at device id 0x1e00, Blackwell at 0x2900; branch 580 is the last one for what is older than Turing.
refused() {
  read -r id <"/sys/bus/pci/devices/$1/device"
  branch=${version%%.*}
  if [ "$flavour" = open ] && [ "$((id))" -lt "$((0x1e00))" ]; then
    echo "installed in this system is not supported by open|nvidia.ko because it does not include the required GPU|System Processor (GSP)."
  elif [ "$((id))" -lt "$((0x1e00))" ] && [ "$branch" -gt 580 ] || [ "$((id))" -ge "$((0x2900))" ] && [ "$branch" -lt 570 ]; then
    echo "installed in this system is not supported by the|NVIDIA $version driver release."
  elif [ "$flavour" = proprietary ] && [ "$((id))" -ge "$((0x2900))" ]; then
    echo "installed in this system requires use of the NVIDIA open kernel modules."
  fi
}

probe() { # every GPU; the addresses of those that are driven
  for address in $(gpus); do
    driver=/sys/bus/pci/devices/$address/driver
    [ ! -e "$driver" ] || continue
    why=$(refused "$address")
    if [ "$why" ]; then
      read -r id <"/sys/bus/pci/devices/$address/device"
      say 3 "NVRM: The NVIDIA GPU $address (PCI ID: 10de:${id#0x})"
      printf '%s\n' "$why" | tr '|' '\n' | while read -r line; do say 3 "NVRM: $line"; done
      say 4 "nvidia: probe of $address failed with error -1"
      continue
    fi
    say 6 "nvidia $address: enabling device (0000 -> 0003)"
    printf '%s\n' "$address"
  done
}

proc_files() { # ADDRESS...: /proc/driver/nvidia
  proc=/proc/driver/nvidia
  mkdir -p "$proc/gpus"
  case $flavour in
    open) banner="NVIDIA UNIX Open Kernel Module for x86_64  $version  Release Build  (dvs-builder@U22-I3-G01-1-1)" ;;
    *) banner="NVIDIA UNIX x86_64 Kernel Module  $version" ;;
  esac
  printf 'NVRM version: %s  %s\nGCC version:  gcc version 12.2.0 (Debian 12.2.0-14+deb12u1) \n' "$banner" \
    "$(date -u -r "$path" '+%a %b %e %H:%M:%S UTC %Y')" >"$proc/version"
  cat >"$proc/params" <<END
ModifyDeviceFiles: 1
DeviceFileUID: 0
DeviceFileGID: 0
DeviceFileMode: 438
END
  say 5 "NVRM: loading $banner"
}

bind_gpu() { # ADDRESS MINOR
  mkdir -p /sys/bus/pci/drivers/nvidia
  ln -s ../../drivers/nvidia "/sys/bus/pci/devices/$1/driver"
  mkdir -p "/proc/driver/nvidia/gpus/$1"
  printf 'Model: \t\t %s\nBus Location: \t %s\nDevice Minor: \t %s\n' \
    "$("$lab/gpu" "$1" name)" "$1" "$2" >"/proc/driver/nvidia/gpus/$1/information"
}

load_nvidia() {
  say 5 "nvidia: loading out-of-tree module taints kernel."
  [ "$flavour" = open ] || say 4 "nvidia: module license 'NVIDIA' taints kernel."
  say 4 "nvidia: module verification failed: signature and/or required key missing - tainting kernel"
  say 6 "nvidia-nvlink: Nvlink Core is being initialized, major device number 234"
  found=$(gpus | wc -l)
  taken=
  for address in $(gpus); do [ ! -e "/sys/bus/pci/devices/$address/driver" ] || taken=yes; done
  driven=$(probe)
  if [ -z "$driven" ]; then
    if [ "$found" = 0 ]; then
      say 3 "NVRM: No NVIDIA GPU found."
    elif [ -n "$taken" ]; then
      say 3 "NVRM: The NVIDIA probe routine was not called for $found device(s)."
      say 3 "NVRM: This can occur when another driver was loaded and "
      say 3 "NVRM: obtained ownership of the NVIDIA device(s)."
      say 3 "NVRM: No NVIDIA devices probed."
    else
      say 3 "NVRM: The NVIDIA probe routine failed for $found device(s)."
      say 3 "NVRM: None of the NVIDIA devices were initialized."
    fi
    say 6 "nvidia-nvlink: Unregistered Nvlink Core, major device number 234"
    echo "No such device"
    exit 1
  fi
  appears
  proc_files
  minor=0
  for address in $driven; do
    bind_gpu "$address" "$minor"
    minor=$((minor + 1))
  done
  printf '%s\n' "$driven" >"$run/module/bound"
  echo "$flavour" >"$run/module/flavour"
  echo "$version" >"$run/module/version"
}

# What udev does when the module appears, by the driver package's rules
udev() {
  [ -e /usr/lib/udev/rules.d/60-nvidia.rules ] || return 0
  ! command -v nvidia-modprobe >/dev/null || nvidia-modprobe "$@" || :
  if [ -d /run/systemd/system ] && [ -e /usr/lib/systemd/system/nvidia-persistenced.service ] &&
    [ "$name" = nvidia ] && systemctl is-enabled --quiet nvidia-persistenced.service 2>/dev/null; then
    systemctl --no-block start nvidia-persistenced.service || :
  fi
}

case $name in
  nvidia)
    load_nvidia
    count=$(wc -l <"$run/module/bound")
    # shellcheck disable=SC2046 # one option for each GPU
    udev -c=255 $(seq -f '-c=%g' 0 $((count - 1)))
    ;;
  nvidia_uvm)
    is_loaded nvidia || { echo "Unknown symbol in module, or unknown parameter (see dmesg)"; exit 1; }
    appears
    uses nvidia
    : >"$run/module/uvm"
    say 6 "nvidia-uvm: Loaded the UVM driver, major device number 511."
    udev -c=0 -u
    ;;
  nvidia_*)
    is_loaded nvidia || { echo "Unknown symbol in module, or unknown parameter (see dmesg)"; exit 1; }
    appears
    uses nvidia
    ;;
  *)
    echo "Operation not permitted"
    exit 1
    ;;
esac
