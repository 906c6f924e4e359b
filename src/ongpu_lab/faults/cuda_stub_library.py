"""LD_LIBRARY_PATH leads to the stub libraries of a CUDA toolkit, in which no driver is."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_NAME, _STUBS = "90-toolkit", "/usr/local/cuda/lib64/stubs"


def apply(target: Target) -> None:
    target.sh(f"mkdir -p {_STUBS}\n: >{_STUBS}/libcuda.so\n: >{_STUBS}/libcuda.so.1")
    _service.drop_in(target, _NAME, f"LD_LIBRARY_PATH={_STUBS}")


def clear(target: Target) -> None:
    target.sh("rm -rf /usr/local/cuda")
    _service.remove_drop_in(target, _NAME)
