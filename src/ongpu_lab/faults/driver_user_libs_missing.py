"""The driver's libcuda is gone from the loader's path, as after a clean-up by hand."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_LIBRARIES = "/usr/lib/x86_64-linux-gnu"
_KEPT = "/root/lab-libcuda"


def apply(target: Target) -> None:
    _service.require(target)
    target.sh(f"mkdir -p {_KEPT} && mv {_LIBRARIES}/libcuda.so* {_KEPT}/ && ldconfig")
    _service.restart(target)


def clear(target: Target) -> None:
    target.sh(f"[ ! -d {_KEPT} ] || {{ cp -a {_KEPT}/. {_LIBRARIES}/; rm -rf {_KEPT}; }}; ldconfig")
    _service.restart(target)
