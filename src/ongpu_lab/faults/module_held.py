"""Something in the kernel holds the driver's module and shows nowhere: only a boot unloads it."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

_COUNT = "/sys/module/nvidia/refcnt"


def apply(target: Target) -> None:
    _add(target, 1)


def clear(target: Target) -> None:
    _add(target, -1)


def _add(target: Target, number: int) -> None:
    target.sh(f"""
[ -e {_COUNT} ] || {{ echo "no driver runs on this host yet" >&2; exit 1; }}
echo $(($(cat {_COUNT}) + {number})) >{_COUNT}
""")
