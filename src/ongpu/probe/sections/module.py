"""NVIDIA's kernel module: the loaded one, and the one on disk for the running kernel."""

from __future__ import annotations

import re

from ongpu.host.gpu import DiskModule, Flavour, KernelModule, LoadedModule
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe.output import Output
from ongpu.probe.section import Section
from ongpu.probe.values import to_int

# Debian names the module on disk `nvidia-current` or `nvidia-current-open`; an `install` line in modprobe.d maps
# `nvidia` to it, so `modinfo nvidia` finds nothing there. One modinfo for all; it goes on after one that is missing.
NAMES = ("nvidia", "nvidia-current", "nvidia-current-open")

SHELL = rf"""
directories() {{
  [ -d /sys/module ] || {{ echo 'not mounted'; return 1; }}
  for name in nvidia nvidia_uvm nouveau; do [ -d "/sys/module/$name" ] && printf '%s\n' "$name"; done; :
}}
p modules directories
p loaded show /sys/module/nvidia/version /sys/module/nvidia/refcnt
if [ -e /proc/driver/nvidia/version ]; then p nvrm cat /proc/driver/nvidia/version; fi
need disk modinfo && p disk modinfo {" ".join(NAMES)}
"""

# NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.309.01  Mon Sep 14 20:03:26 UTC 2026
# NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder@…)
_NVRM = re.compile(r"^NVRM version: NVIDIA UNIX (Open )?.*?\s(\d{1,4}(?:\.\d{1,4}){1,3})\s", re.MULTILINE)
# filename:       /lib/modules/6.1.0-56-amd64/updates/dkms/nvidia-current.ko            modinfo (kmod 30)
_FIELD = re.compile(r"^(filename|version|license):\s*(.*)$")
# modinfo: ERROR: Module nvidia not found.   (kmod 30)     modinfo: module 'nvidia' not found   (busybox 1.35)
_NOT_FOUND = re.compile(r"not found\.?$", re.MULTILINE)


def parse(output: Output) -> Known[KernelModule] | Absent | Unreadable:
    """Each of its readings says for itself whether it could be looked at."""
    modules = output["modules"]
    loaded = _loaded(output)
    return Known(
        KernelModule(
            loaded=loaded,
            on_disk=_on_disk(output),
            uvm_loaded=_directory(output, "nvidia_uvm"),
            nouveau_loaded=_directory(output, "nouveau"),
            users=_users(output, loaded),
        ),
        "/sys/module" if modules.ok else "/proc/driver/nvidia",
    )


def _directory(output: Output, name: str) -> Reading[bool]:
    if output["modules"].trouble:
        return Unreadable(f"/sys/module: {output['modules'].trouble}")
    return Known(name in output["modules"].lines, f"/sys/module/{name}")


def _shown(output: Output, name: str) -> str:
    lines = [line.split("\t", 1) for line in output["loaded"].lines if "\t" in line]
    return dict(lines).get(f"/sys/module/nvidia/{name}", "") if output["loaded"].ok else ""


def _loaded(output: Output) -> Reading[LoadedModule]:
    nvrm = _NVRM.search(output["nvrm"].text + "\n") if output["nvrm"].ok else None
    flavour: Flavour = "unknown" if nvrm is None else "open" if nvrm[1] else "proprietary"
    if version := _shown(output, "version"):
        return Known(LoadedModule(version=version, flavour=flavour), "/sys/module/nvidia/version")
    if nvrm:
        return Known(LoadedModule(version=nvrm[2], flavour=flavour), "/proc/driver/nvidia/version")
    match _directory(output, "nvidia"):
        case Known(value=False) if "nvrm" not in output.parts and output["loaded"].ok:
            return Absent("/sys/module/nvidia is not there")
        case Unreadable() as blind:
            return blind
        case _:
            return Unreadable("the nvidia module is loaded, but says no version in /sys/module/nvidia/version")


def _users(output: Output, loaded: Reading[LoadedModule]) -> Reading[int]:
    count = to_int(_shown(output, "refcnt"))
    if count is not None:
        return Known(count, "/sys/module/nvidia/refcnt")
    return loaded if isinstance(loaded, Absent) else Unreadable("/sys/module/nvidia/refcnt cannot be read")


def _on_disk(output: Output) -> Reading[DiskModule]:
    part = output["disk"]
    if part.missing or part.timed_out:
        return Unreadable(f"modinfo: {part.trouble}", "install kmod" if part.missing else "")
    found: list[dict[str, str]] = []
    for line in part.lines:
        if field := _FIELD.match(line):
            if field[1] == "filename":
                found.append({})
            if found:
                found[-1].setdefault(field[1], field[2].strip())
    for fields in found:
        if fields["filename"].startswith("/") and fields.get("version"):
            return Known(_disk_module(fields), "modinfo")
    if not found and _NOT_FOUND.search(part.text):
        return Absent(f"modinfo finds no {', '.join(NAMES)} for the running kernel")
    return Unreadable(f"modinfo: {part.lines[0][:200] if part.lines else 'no output'}")


def _disk_module(fields: dict[str, str]) -> DiskModule:
    # Dual MIT/GPL: github.com/NVIDIA/open-gpu-kernel-modules, kernel-open/nvidia/nv-pci-table.c; the other: "NVIDIA"
    license_ = fields.get("license", "")
    flavour: Flavour = "open" if "GPL" in license_ else "proprietary" if license_ == "NVIDIA" else "unknown"
    path = fields["filename"]
    name = path.rsplit("/", 1)[-1].split(".ko")[0].replace("_", "-")
    return DiskModule(name=name, version=fields["version"], flavour=flavour, path=path)


SECTION = Section(name="module", shell=SHELL, parse=parse, seconds=5)
