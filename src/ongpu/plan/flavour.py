"""Which kernel module fits the GPUs: open (GSP, Turing and later) or proprietary (before Turing).

Device ids rise with the architectures (PCI ID database): Maxwell begins at GM107 0x1340, Turing at TU102 0x1e02,
Blackwell at GB100 0x2901. Support: github.com/NVIDIA/open-gpu-kernel-modules, README ("Turing and later"); NVIDIA
data centre driver documentation, CUDA toolkit, driver and architecture matrix (last branch for Maxwell, Pascal and
Volta is 580, for Kepler 470; Blackwell has open modules only).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ongpu.host.gpu import PciGpu
from ongpu.plan.context import Halt

Choice = Literal["open", "proprietary"]

_MAXWELL, _TURING, _BLACKWELL = 0x1340, 0x1E00, 0x2900
_LAST_BEFORE_TURING = 580
_LAST_PROPRIETARY = 610


def choose(gpus: Sequence[PciGpu], branch: str, declared: Literal["auto", "open", "proprietary"]) -> Choice:
    """Raises Halt("unsupported") when no module of this branch drives all of these GPUs."""
    major = int(branch.split(".")[0]) if branch.split(".")[0].isdecimal() else 0
    old = [gpu for gpu in gpus if _device(gpu) < _TURING]
    new = [gpu for gpu in gpus if _device(gpu) >= _BLACKWELL]
    if kepler := [gpu for gpu in old if _device(gpu) < _MAXWELL]:
        raise Halt("unsupported", f"{_names(kepler)}: Kepler or older, which Ollama cannot use")
    if old and major > _LAST_BEFORE_TURING:
        raise Halt("unsupported", f"{_names(old)}: Maxwell, Pascal or Volta, last driven by branch 580, not {branch}")
    if old and new:
        raise Halt("unsupported", f"no driver drives {_names(old)} and {_names(new)} together")
    choice: Choice = declared if declared != "auto" else "proprietary" if old else "open"
    if choice == "open" and old:
        raise Halt("unsupported", f"{_names(old)}: before Turing, needs driver.modules: proprietary (or auto)")
    if choice == "proprietary" and new:
        raise Halt("unsupported", f"{_names(new)}: Blackwell or later, needs driver.modules: open (or auto)")
    if choice == "proprietary" and major > _LAST_PROPRIETARY:
        raise Halt("unsupported", f"branch {branch} has no proprietary kernel modules any more")
    return choice


def _device(gpu: PciGpu) -> int:
    try:
        return int(gpu.device_id, 16)
    except ValueError:
        return _TURING  # unreadable id: a current GPU is likelier than an old one, and the driver says no itself


def _names(gpus: Sequence[PciGpu]) -> str:
    return ", ".join(f"GPU {gpu.address} ({gpu.device_id})" for gpu in gpus)
