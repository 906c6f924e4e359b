"""NVIDIA GPUs on the PCI bus, from sysfs: needs no lspci, no driver and no root."""

from __future__ import annotations

from ongpu.host.gpu import PciGpu, pci_address
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.probe.output import Output
from ongpu.probe.section import Section

# One line per NVIDIA function, GPU or not (audio, USB-C, NVSwitch): ADDRESS VENDOR CLASS DEVICE SUBVENDOR SUBDEVICE
# DRIVER. `read` is a builtin: no fork but readlink for NVIDIA's own.
SHELL = r"""
value() { V=-; [ -r "$1" ] && read -r V <"$1"; }
bus() {
  for dir in /sys/bus/pci/devices/*; do
    value "$dir/vendor"; [ "$V" = 0x10de ] || continue
    line="${dir##*/} $V"
    for name in class device subsystem_vendor subsystem_device; do value "$dir/$name"; line="$line $V"; done
    driver=-; [ -e "$dir/driver" ] && driver=$(readlink -f "$dir/driver")
    printf '%s %s\n' "$line" "${driver##*/}"
  done
}
if [ -d /sys/bus/pci/devices ]; then p bus bus
elif [ -d /sys/bus ]; then p none printf 'no\n'
else p unmounted printf 'no\n'; fi
"""

# VGA, XGA, 3D (data centre) and other display controllers; 0x12 = processing accelerators. Not 0x0403 (audio),
# 0x0c03 (USB), 0x0680 (NVSwitch). PCI Code and ID Assignment Specification, base classes 03h and 12h.
_GPU_CLASSES = ("0x03", "0x12")


def parse(output: Output) -> Known[tuple[PciGpu, ...]] | Absent | Unreadable:
    """Known(()) = the bus was looked at and holds no NVIDIA GPU. Absent = there is no PCI bus."""
    if output["none"].ok:
        return Absent("there is no PCI bus (/sys/bus/pci/devices)")
    if output["unmounted"].ok:
        return Unreadable("/sys is not mounted")
    bus = output["bus"]
    if bus.trouble:
        return Unreadable(f"/sys/bus/pci/devices: {bus.trouble}")
    gpus = []
    for line in bus.lines:
        # 0000:01:00.0 0x10de 0x030000 0x2882 0x1458 0x40d1 nvidia
        words = line.split(" ")
        address = pci_address(words[0])
        if len(words) != 7 or address is None:
            return Unreadable(f"/sys/bus/pci/devices: unexpected line {line[:120]!r}")
        if words[2].startswith(_GPU_CLASSES):
            gpus.append(
                PciGpu(
                    address=address,
                    device_id=words[3],
                    subsystem_id=f"{words[4]}:{words[5]}",
                    pci_class=words[2],
                    driver="" if words[6] == "-" else words[6],
                )
            )
    return Known(tuple(gpus), "/sys/bus/pci/devices")


SECTION = Section(name="pci", shell=SHELL, parse=parse, seconds=5)
