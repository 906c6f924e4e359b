"""The user ops may not use sudo any more."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

_RULE, _KEPT = "/etc/sudoers.d/ops", "/etc/ongpu-lab/sudoers-ops"


def apply(target: Target) -> None:
    target.sh(f"[ ! -e {_RULE} ] || mv {_RULE} {_KEPT}")


def clear(target: Target) -> None:
    target.sh(f"[ ! -e {_KEPT} ] || mv {_KEPT} {_RULE}")
