"""The kernel's own driver, nouveau, has the GPUs, and the initramfs loads it at each boot."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

_FILE = "/etc/ongpu-lab/host.ini"


def apply(target: Target) -> None:
    target.sh("""
[ ! -d /sys/module/nvidia ] || { echo "NVIDIA's driver has the GPUs of this host" >&2; exit 1; }
install -m 0755 /usr/lib/ongpu-lab/update-initramfs /usr/sbin/update-initramfs
/usr/lib/ongpu-lab/nouveau
""")
    target.knob(_FILE, "host", "nouveau", "yes")


def clear(target: Target) -> None:
    target.knob(_FILE, "host", "nouveau", None)
    target.sh("""
for driver in /sys/bus/pci/devices/*/driver; do
  case $(readlink "$driver") in */nouveau) rm "$driver" ;; esac
done
rm -rf /sys/module/nouveau /sys/bus/pci/drivers/nouveau
""")
