"""Xid codes: what the driver means by them and what to do (NVIDIA's Xid catalogue; A100 and later parts).

Older parts use some codes differently; 45 and 43 after another code are consequences of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ongpu.host.gpu import pci_address
from ongpu.rules.evidence import Evidence, Line
from ongpu.rules.pattern import regex

Action = Literal[
    "ignore", "restart application", "reset GPU", "reboot", "check hardware", "update driver", "follow text"
]
HARMLESS: frozenset[Action] = frozenset({"ignore"})


@dataclass(frozen=True, slots=True)
class Meaning:
    text: str
    action: Action


@dataclass(frozen=True, slots=True)
class SeenXid:
    """`address` as in sysfs, or as written where it is not one."""

    code: int
    address: str
    text: str
    line: Line


_ROWS: tuple[tuple[tuple[int, ...], str, Action], ...] = (
    ((8,), "GPU stopped processing (channel timeout)", "restart application"),
    ((11, 25, 32), "corrupt or illegal command buffer", "restart application"),
    ((13,), "graphics engine exception, usually an application's access out of bounds", "restart application"),
    ((14,), "injected test error", "ignore"),
    ((31,), "GPU memory page fault, usually an application's bad address", "restart application"),
    ((37, 38), "driver firmware error", "ignore"),
    ((39, 40, 41, 70, 71, 72, 75, 76, 77, 85, *range(126, 136)), "copy engine exception", "restart application"),
    ((43,), "application hit a software fault and ended; the GPU is healthy", "ignore"),
    ((44,), "fault during a context switch", "ignore"),
    ((45,), "clean-up after another error or after an application was ended", "ignore"),
    ((46,), "GPU stopped processing", "reset GPU"),
    ((48,), "uncorrectable memory error (double-bit ECC)", "reset GPU"),
    ((54,), "auxiliary power is not connected", "check hardware"),
    ((60,), "video processor exception", "restart application"),
    ((61,), "internal microcontroller breakpoint (older parts)", "reset GPU"),
    ((62,), "internal microcontroller halted", "reset GPU"),
    ((63,), "a memory row or page is marked for replacement at the next reset", "ignore"),
    ((64,), "a memory row or page could not be replaced", "reset GPU"),
    ((66, 67), "illegal access by the driver", "ignore"),
    ((68, *range(82, 85), 86, 88, 89, *range(96, 106), 139), "video or optical-flow engine", "restart application"),
    ((69,), "graphics class error", "restart application"),
    ((74,), "NVLink error", "check hardware"),
    ((78,), "vGPU could not be started", "update driver"),
    ((79,), "GPU has fallen off the bus", "reboot"),
    ((80,), "corrupt data was sent to the GPU", "restart application"),
    ((92,), "high rate of corrected memory errors", "ignore"),
    ((93,), "InfoROM has reached its wear limit", "ignore"),
    ((94,), "contained memory error", "restart application"),
    ((95,), "uncontained memory error", "reset GPU"),
    ((106, 107), "management test message", "ignore"),
    ((109,), "context switch timed out", "reset GPU"),
    ((110,), "security fault; undo hardware changes and power-cycle", "check hardware"),
    ((119,), "the GPU's own firmware (GSP) did not answer", "reset GPU"),
    ((120,), "the GPU's own firmware (GSP) failed", "reset GPU"),
    ((121,), "corrected error on the link between CPU and GPU", "ignore"),
    ((136,), "link training failed", "reset GPU"),
    ((137,), "NVLink remote memory fault, usually an application's", "ignore"),
    ((140,), "unrecovered memory error", "reset GPU"),
    ((141,), "CUDA fast-path error", "ignore"),
    ((142,), "video encoder error", "check hardware"),
    ((143,), "GPU initialisation error", "reset GPU"),
    (tuple(range(144, 151)), "NVLink error (Blackwell)", "check hardware"),
    ((151,), "key rotation of a confidential machine", "reboot"),
    ((152, 153), "deep-learning accelerator message", "ignore"),
    ((154,), "the driver asks for a recovery action", "follow text"),
    ((155,), "NVLink was taken down", "reset GPU"),
    ((156,), "a part of the GPU is being retired", "reset GPU"),
    ((157,), "a part of the GPU could not be retired", "ignore"),
    ((158,), "fatal timeout in the GPU", "reset GPU"),
    ((159,), "error on the link between CPU and GPU", "check hardware"),
    ((160, 161), "a channel was retired", "ignore"),
    ((162, 163, 164), "power smoothing was switched", "ignore"),
    ((165,), "power smoothing is worn out", "ignore"),
    ((166, 170), "confidential computing message", "ignore"),
    ((167,), "fatal PCI Express timeout", "check hardware"),
    ((168,), "memory capacity is reduced until ECC is on or the host restarts", "reboot"),
    ((169,), "security processor halted", "reset GPU"),
    ((171, 172), "detail of an uncorrectable memory error", "reset GPU"),
    ((173, 174), "fatal error on the link between CPU and GPU", "reset GPU"),
    ((175,), "memory subsystem error", "reset GPU"),
    ((176,), "corrected PCI Express error", "ignore"),
)  # fmt: skip
TABLE: dict[int, Meaning] = {code: Meaning(text, action) for codes, text, action in _ROWS for code in codes}
UNLISTED = Meaning("not in the catalogue", "check hardware")

# Xid (PCI:0000:05:00): 79, pid=1234, …   Xid (PCI:0000:01:00 GPU-I:05): 94, …   Xid (0000:03:00): 14, Channel …
_XID = regex(r"\bXid \((?:PCI:)?([0-9A-Fa-f:.]{5,20})(?: GPU-I:[0-9A-Fa-f]+)?\): (\d{1,4})(?:, ?|\b)([^\n]*)")


def meaning(code: int) -> Meaning:
    return TABLE.get(code, UNLISTED)


def xids(seen: Evidence) -> list[SeenXid]:
    """Every Xid in the evidence, in order."""
    return [SeenXid(int(h.match[2]), pci_address(h.match[1]) or h.match[1], h.match[3], h.line) for h in seen.all(_XID)]
