# EXPECT (GPUs that the inventory expects; may be empty)
# One driver everywhere: loaded, on disk, in user space, fabric manager; and every GPU of the bus answers to it.
: "${ONGPU_ROOT:=}"
loaded=$(cat "$ONGPU_ROOT/sys/module/nvidia/version" 2>/dev/null || :)
disk=$(modinfo -F version nvidia 2>/dev/null || modinfo -F version nvidia-current 2>/dev/null ||
  modinfo -F version nvidia-current-open 2>/dev/null || :)
library=$(ldconfig -p | awk '$1 == "libnvidia-ml.so.1" && /x86-64|AArch64/ { print $NF; exit }')
user=$(readlink -f "${library:-/nonexistent}" | sed 's/.*\.so\.//')
[ -n "$loaded" ] || die "no kernel module of NVIDIA is loaded"
[ "$loaded" = "$disk" ] || die "the module $loaded is loaded, the one on disk for this kernel is ${disk:-none}"
[ "$loaded" = "$user" ] || die "the module $loaded is loaded, the libraries are of ${user:-no driver}"
if command -v nv-fabricmanager >/dev/null 2>&1; then
  fabric=$(nv-fabricmanager --version 2>/dev/null | sed -n 's/.*[Vv]ersion[^0-9]*\([0-9.]*[0-9]\).*/\1/p' | head -n 1)
  [ "$loaded" = "$fabric" ] || die "the module is $loaded, the fabric manager ${fabric:-does not say its version}"
fi

on_bus=0
for device in "$ONGPU_ROOT"/sys/bus/pci/devices/*; do
  [ -r "$device/vendor" ] || continue
  case $(cat "$device/vendor" "$device/class" | tr -d '\n') in 0x10de0x0300* | 0x10de0x0302*) ;; *) continue ;; esac
  case $(readlink "$device/driver" || :) in */vfio-pci) ;; *) on_bus=$((on_bus + 1)) ;; esac
done
listed=$(nvidia-smi --query-gpu=pci.bus_id --format=csv,noheader 2>&1) ||
  die "the driver $loaded does not answer: $(printf '%s\n' "$listed" | head -n 1)"
listed=$(printf '%s\n' "$listed" | grep -c ':' || :)
[ "$listed" = "$on_bus" ] || die "the driver $loaded lists $listed GPUs, there are $on_bus on the PCI bus"
[ -z "$EXPECT" ] || [ "$listed" -ge "$EXPECT" ] || die "the driver $loaded lists $listed GPUs, expect.gpus is $EXPECT"
[ -e "$ONGPU_ROOT/dev/nvidia-uvm" ] || die "there is no /dev/nvidia-uvm, without which no CUDA program starts"
