"""The GPU's firmware does not answer: Xid 119 in the kernel log."""

from __future__ import annotations

from ongpu_lab.faults import _kernel, _service
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    _kernel.say(
        target,
        "NVRM: Xid (PCI:SLOT): 119, pid=1487, name=ollama, Timeout after 6s of waiting for RPC response from GPU0 GSP!",
    )


def clear(target: Target) -> None:
    _kernel.forget(target)
    _service.restart(target)
