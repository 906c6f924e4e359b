"""The command line that boots one host."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ongpu_lab.hosts.network import NAMESPACES

REBOOT = 133  # systemd-nspawn --keep-unit ends with this when the host asked for a reboot (systemd-nspawn(1))
# Hosts get cgroup v2 on every machine, also where systemd itself runs on v1 (systemd 252: v1 would be inherited).
ENVIRONMENT = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_LOCK": "0"}


def argv(name: str, root: Path, journal: Path, uptime: float, hardware: Sequence[str] = ()) -> list[str]:
    """`uptime` is the machine's, in seconds: the time namespace takes it off, so that the host's own starts near 1."""
    ago = max(int(uptime) - 1, 0)
    return [
        "unshare", "--time", f"--boottime=-{ago}", f"--monotonic=-{ago}", "--fork", "--kill-child=KILL", "--",
        "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
        f"--directory={root}", f"--machine={name}", f"--network-namespace-path={NAMESPACES / name}",
        "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe",
        f"--bind={journal}:/var/log/journal",
        *hardware,
    ]  # fmt: skip


def uptime() -> float:
    """The machine's uptime in seconds, by the clock that time namespaces shift."""
    return float(Path("/proc/uptime").read_text().split()[0])


def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **ENVIRONMENT}
