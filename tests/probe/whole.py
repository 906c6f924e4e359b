"""A whole probe's answer from real samples, and the comparison of a damaged answer with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.probe.output import Part
from tests.probe.sections import samples
from tests.probe.shells import RECORDINGS

NONCE = "a998a68fa58da23a"  # of the recording
MACHINE: dict[str, samples.Parts] = {
    "system": samples.SYSTEM,
    "pci": samples.PCI,
    "module": samples.MODULE,
    "secure_boot": samples.SECURE_BOOT,
    "kernels": samples.KERNELS,
    "modprobe": samples.MODPROBE,
    "use": samples.USE,
    "cuda": samples.CUDA,
    "platform": samples.PLATFORM,
    "fabric": samples.FABRIC,
    "installers": samples.INSTALLERS,
    "libraries": samples.LIBRARIES,
    "nodes": samples.NODES,
    "packages": samples.PACKAGES,
    "kernel_log": samples.KERNEL_LOG,
    "watch": samples.WATCH,
}


def section(name: str, parts: samples.Parts) -> str:
    """As the script prints it."""
    lines = [f"\n@@{NONCE} section {name}\n"]
    for part_name, given in parts.items():
        part = given if isinstance(given, Part) else Part(0, given)
        lines.append(f"\n@@{NONCE} part {part_name}\n{part.text}\n\n@@{NONCE} rc {part.rc}\n")
    return "".join([*lines, f"\n@@{NONCE} done {name}\n"])


def text() -> str:
    """Every section, from the first marker to the last."""
    recorded = (RECORDINGS / "probe" / "bookworm-root.txt").read_text()
    nvml = (RECORDINGS / "nvidia" / "two-gpus.550.txt").read_text()
    nvml_nonce = nvml.split()[2]
    body = nvml.split("\n", 1)[1].replace(nvml_nonce, NONCE).replace(f"\n@@{NONCE} end\n", "")
    first, rest = recorded.split("\n", 1)
    return f"{first}\n{''.join(section(*one) for one in MACHINE.items())}{body}{rest}"


OPEN = {"disks"}  # a disk that was not listed is unknown; other lists are whole or Unreadable


def agrees(damaged: object, whole: object, some: bool = False) -> bool:
    """Whether the damaged look claims nothing that the whole one does not: it may know less, and says so.

    `Unreadable` (a module's flavour: "unknown") is always allowed. `some`: of a list, some may be missing.
    """
    match damaged, whole:
        case ((Unreadable() | "unknown"), _):
            return True
        case Known(), Known():
            return agrees(damaged.value, whole.value)
        case Absent(), Absent():
            return damaged == whole
        case tuple(), tuple():
            if some:
                return all(one in whole for one in damaged)
            return len(damaged) == len(whole) and all(map(agrees, damaged, whole))
        case Mapping(), Mapping():
            return damaged.keys() == whole.keys() and all(agrees(damaged[key], whole[key]) for key in damaged)
        case _ if is_dataclass(damaged) and type(damaged) is type(whole):
            return all(
                agrees(getattr(damaged, field.name), getattr(whole, field.name), field.name in OPEN)
                for field in fields(damaged)
            )
        case _:
            return damaged == whole
