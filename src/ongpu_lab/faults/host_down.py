"""The host is powered off."""

from __future__ import annotations

from ongpu_lab.errors import LabError
from ongpu_lab.faults.base import Target
from ongpu_lab.process import wait_until

ENDS_WITH_START = True
SECONDS = 60


def apply(target: Target) -> None:
    if not _down(target):
        target.sh("systemctl poweroff")
    if not wait_until(lambda: _down(target), SECONDS):
        raise LabError(f"{target.host} did not power off within {SECONDS} s.")


def clear(target: Target) -> None:
    target.ask("start")


def _down(target: Target) -> bool:
    states = {host["host"]: host["state"] for host in target.lab.status()["hosts"]}
    return bool(states[target.host] == "down")
