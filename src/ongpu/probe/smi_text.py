"""The words of nvidia-smi as readings: numbers, switches, and the words that stand for "none" and for trouble."""

from __future__ import annotations

import re
from collections.abc import Callable

from ongpu.host.gpu import GpuSettings
from ongpu.host.reading import Absent, Known, Reading, T, Unreadable
from ongpu.probe.output import Output
from ongpu.probe.values import to_float, to_int

PERMISSION = "run the probe as root (sudo), or let the user read and write /dev/nvidia*"
# The words of "this GPU has no such thing"; every other [word] is trouble: [Unknown Error], [GPU is lost], …
_HAS_NONE = {"n/a", "not supported", "function not found", "not available"}
_MIB = 1024 * 1024
# state  Completed      status Success      state  N/A      [N/A]             fabric.state, fabric.status (535, 550)
_FABRIC = re.compile(r"(?:state|status) +")


def value(text: str, convert: Callable[[str], T | None]) -> Reading[T]:
    """[N/A]   [Not Supported]   [Function Not Found]   [Unknown Error]   [GPU is lost]   [GPU requires reset]"""
    text = _FABRIC.sub("", text.strip(), count=1)
    word = text.removeprefix("[").removesuffix("]")
    if word.lower() in _HAS_NONE:
        return Absent(f"nvidia-smi: {text}")
    if text.startswith("[") or not text or "ERR!" in text:
        return Unreadable(f"nvidia-smi: {text or 'no value'}", PERMISSION if "ermission" in text else "")
    found = convert(text)
    return Unreadable(f"nvidia-smi: unexpected value {text[:80]!r}") if found is None else Known(found, "nvidia-smi")


def mib(text: str) -> int | None:
    number = to_int(text)
    return None if number is None or number < 0 else number * _MIB


def switch(text: str) -> bool | None:
    return {"Enabled": True, "Disabled": False}.get(text)


def yes_or_no(text: str) -> bool | None:
    """`1` (--query-remapped-rows of 535 and 550), `Yes` (-q)."""
    return {"1": True, "Yes": True, "0": False, "No": False}.get(text)


def settings(row: dict[str, str], mig: dict[str, tuple[str, ...]] | Unreadable) -> GpuSettings:
    def newer(field: str, convert: Callable[[str], T | None]) -> Reading[T]:
        return value(row[field], convert) if field in row else Absent(f"this driver's nvidia-smi has no {field}")

    devices: Reading[tuple[str, ...]]
    if row["mig.mode.current"] != "Enabled":
        devices = Absent("MIG is off")
    elif isinstance(mig, Unreadable):
        devices = mig
    else:
        devices = Known(mig.get(row["uuid"], ()), "nvidia-smi -L")
    return GpuSettings(
        power_default_watts=value(row["power.default_limit"], to_float),
        power_min_watts=value(row["power.min_limit"], to_float),
        power_max_watts=value(row["power.max_limit"], to_float),
        ecc=value(row["ecc.mode.current"], switch),
        ecc_pending=value(row["ecc.mode.pending"], switch),
        mig_pending=value(row["mig.mode.pending"], switch),
        mig_devices=devices,
        gsp=newer("gsp.mode.current", switch),
        recovery_action=newer("gpu_recovery_action", str),
        remap_pending=newer("remapped_rows.pending", yes_or_no),
        remap_failed=newer("remapped_rows.failure", yes_or_no),
        fabric=newer("fabric.state", str),
        fabric_status=newer("fabric.status", str),
    )


# GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
#   MIG 1g.5gb      Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)          nvidia-smi -L (driver 470 on)
_LISTED = re.compile(r"\(UUID: ((?:GPU|MIG)-[0-9A-Za-z/-]{1,80})\)$")


def mig_devices(output: Output) -> dict[str, tuple[str, ...]] | Unreadable:
    if output["nomig"].ok:
        return {}
    if output["mig"].trouble:
        return Unreadable(f"nvidia-smi -L: {output['mig'].trouble}")
    found: dict[str, tuple[str, ...]] = {}
    gpu = ""
    for line in output["mig"].short_lines:
        uuid = _LISTED.search(line.strip())
        if uuid and uuid[1].startswith("GPU-"):
            gpu = uuid[1]
        elif uuid:
            found[gpu] = (*found.get(gpu, ()), uuid[1])
    return found


# Virtualization Mode               : VGPU          License Status                    : Licensed (Expiry: 2026-12-1 …)
_LICENCE = re.compile(r"^ +(Virtualization Mode|License Status) +: (.{1,200})$")


def virtualization(output: Output) -> tuple[Reading[str], Reading[str]]:
    """Mode and license. Without the licence daemon this is no vGPU guest, and nvidia-smi -q is not asked."""
    if output["nogridd"].ok:
        none = Absent("no vGPU guest's licence daemon (nvidia-gridd) is installed")
        return none, none
    part = output["licence"]
    if part.trouble:
        blind = Unreadable(f"nvidia-smi -q: {part.trouble}")
        return blind, blind
    said: dict[str, str] = {}
    for line in part.short_lines:
        if found := _LICENCE.match(line):
            said.setdefault(found[1], found[2].strip())
    mode, license_ = said.get("Virtualization Mode", ""), said.get("License Status", "")
    return (
        value(mode.lower() if mode != "N/A" else mode, str),
        value(license_, str) if license_ else Absent("nvidia-smi -q shows no license"),
    )
