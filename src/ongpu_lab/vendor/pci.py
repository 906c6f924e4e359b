"""The PCI bus of a simulated host, as sysfs shows it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One PCI function; ids as in sysfs (`vendor`, `device`, …), `pci_class` has 24 bits (0x030000 = VGA)."""

    address: str
    vendor: int
    device: int
    subsystem_vendor: int = 0
    subsystem_device: int = 0
    pci_class: int
    memory_bytes: int = 0

    def config(self) -> bytes:
        """The first 256 bytes of its configuration space (PCI Local Bus Specification 3.0, 6.1)."""
        head = struct.pack(
            "<HHHHIBBBB", self.vendor, self.device, 0x0407, 0x0010, self.pci_class << 8 | 0xA1, 0x10, 0, 0, 0
        )
        return head + bytes(28) + struct.pack("<HH", self.subsystem_vendor, self.subsystem_device) + bytes(208)

    def files(self) -> dict[str, bytes]:
        """The attribute files of its directory in /sys/bus/pci/devices."""
        numbers = {
            "vendor": f"0x{self.vendor:04x}",
            "device": f"0x{self.device:04x}",
            "subsystem_vendor": f"0x{self.subsystem_vendor:04x}",
            "subsystem_device": f"0x{self.subsystem_device:04x}",
            "class": f"0x{self.pci_class:06x}",
            "revision": "0xa1",
            "irq": "0",
            "numa_node": "-1",
            "enable": "0",
            "modalias": self.modalias(),
            "resource": self._resource(),
        }
        return {"config": self.config(), **{name: f"{value}\n".encode() for name, value in numbers.items()}}

    def modalias(self) -> str:
        """What udev looks a module up by."""
        base, sub, interface = self.pci_class >> 16, self.pci_class >> 8 & 0xFF, self.pci_class & 0xFF
        return (
            f"pci:v{self.vendor:08X}d{self.device:08X}sv{self.subsystem_vendor:08X}sd{self.subsystem_device:08X}"
            f"bc{base:02X}sc{sub:02X}i{interface:02X}"
        )

    def _resource(self) -> str:
        """Start, end and flags of six base addresses, the ROM and six bridge windows; BAR1 is the frame buffer."""
        lines = ["0x0000000000000000 0x0000000000000000 0x0000000000000000"] * 13
        if self.memory_bytes:
            start = 0x6000000000
            lines[1] = f"0x{start:016x} 0x{start + self.memory_bytes - 1:016x} 0x000000000014220c"
        return "\n".join(lines)


HOST_BRIDGE = Device(address="0000:00:00.0", vendor=0x8086, device=0x1237, pci_class=0x060000)
BAR_BYTES = 256 << 20


def devices(gpus: Sequence[Mapping[str, str]], switches: Sequence[Mapping[str, str]] = ()) -> list[Device]:
    """A host bridge, and what the GPUs of a profile bring: the GPU and, with a display output, its sound function; and
    the NVSwitches, which are bridges of class 0x0680."""
    found = [HOST_BRIDGE, *(_function(switch, 0x068000, 32 << 20) for switch in switches)]
    for gpu in gpus:
        graphics = _function(gpu, int(gpu["pci_class"], 0), BAR_BYTES)
        address = graphics.address
        found.append(graphics)
        if graphics.pci_class == 0x030000:
            found.append(
                Device(
                    address=f"{address[:-1]}1",
                    vendor=graphics.vendor,
                    device=0x22BE,
                    subsystem_vendor=graphics.subsystem_vendor,
                    subsystem_device=graphics.subsystem_device,
                    pci_class=0x040300,
                )
            )
    return found


def _function(one: Mapping[str, str], pci_class: int, memory_bytes: int) -> Device:
    ids, subsystem = int(one["pci_id"], 0), int(one.get("pci_sub_id", "0"), 0)
    return Device(
        address=one["bus_id"].lower()[-12:],
        vendor=ids & 0xFFFF,
        device=ids >> 16,
        subsystem_vendor=subsystem & 0xFFFF,
        subsystem_device=subsystem >> 16,
        pci_class=pci_class,
        memory_bytes=memory_bytes,
    )
