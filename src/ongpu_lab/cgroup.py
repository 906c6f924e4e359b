"""The lab's cgroups: one tree per lab beside the machine's own, one branch per host.

Each host needs its own: with --keep-unit, systemd-nspawn puts the host's systemd into `<its own cgroup>/payload`, and
two hosts in one cgroup would own, and kill, each other's services.
Layouts (cgroups(7)): unified = cgroup v2 on /sys/fs/cgroup; hybrid = v2 on /sys/fs/cgroup/unified beside the v1
hierarchies; v1 = only those. systemd keeps its tree in v2 and, where there is one, in the v1 hierarchy `systemd`.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ongpu_lab.contain import contained, run
from ongpu_lab.process import kill_all, wait_until

TOP = Path("/sys/fs/cgroup")
PREFIX = "ongpu-lab-"
SUPERVISOR = "supervisor"
# Tried twice: between mkdir and echo, another lab's sweep may remove the directory, which is empty then.
_ENTER = 'enter() { mkdir -p "$1" && echo 0 >"$1/cgroup.procs"; }'


def roots(top: Path = TOP) -> list[Path]:
    """The hierarchies that systemd uses on this machine, v2 first; empty where there is none to be seen."""
    if (top / "cgroup.controllers").exists():
        return [top]
    return [root for name in ("unified", "systemd") if (root := top / name).joinpath("cgroup.procs").exists()]


def is_v1(top: Path = TOP) -> bool:
    """Whether there is no v2 hierarchy to be seen."""
    return not (top / "cgroup.controllers").exists() and not (top / "unified" / "cgroup.procs").exists()


def trees(lab_id: str, top: Path = TOP) -> list[Path]:
    """Where the tree of one lab is (or would be), one path per hierarchy."""
    return [root / f"{PREFIX}{lab_id}" for root in roots(top)]


def joined(lab_id: str, branch: str, argv: Sequence[str]) -> list[str]:
    """The command wrapped so that it runs in a branch of the lab's tree, which is made if it is missing."""
    directories = [str(tree / branch) for tree in trees(lab_id)]
    enter = " && ".join(f"{{ enter {d} || enter {d}; }}" for d in map(shlex.quote, directories))
    return ["sh", "-c", f'{_ENTER}; {enter} && exec "$@"', "sh", *argv]


def members(tree: Path) -> list[int]:
    """All pids below a cgroup, as seen from our pid namespace (0 = a process that is outside of it)."""
    pids: list[int] = []
    for directory, _, _ in os.walk(tree):
        with suppress(OSError):  # removed while we look
            pids += [int(line) for line in Path(directory, "cgroup.procs").read_text().split()]
    return pids


def leader(lab_id: str, host: str) -> int | None:
    """The pid of a host's systemd as seen from here; None while the host is down or in its first moments."""
    for tree in trees(lab_id):
        procs = tree / host / "payload" / "init.scope" / "cgroup.procs"
        with suppress(OSError):
            if pids := procs.read_text().split():
                return int(pids[0])
    if is_v1():  # the host's own tree is in a v2 hierarchy that is not mounted here
        for tree in trees(lab_id):
            return next((pid for pid in members(tree / host) if _is_systemd_of_a_namespace(pid)), None)
    return None


def _is_systemd_of_a_namespace(pid: int) -> bool:
    """By /proc/PID/status: `Name:\tsystemd` and `NSpid:\t4711\t17\t1` (its pid in each namespace, innermost last)."""
    try:
        fields = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
        )
    except OSError:  # it has just ended
        return False
    return fields.get("Name") == "systemd" and fields.get("NSpid", "").split()[-1:] == ["1"]


def labs(top: Path = TOP) -> set[str]:
    """The ids of all labs that have a tree on this machine."""
    return {path.name.removeprefix(PREFIX) for root in roots(top) for path in root.glob(f"{PREFIX}*")}


def destroy(tree: Path, seconds: float = 10) -> bool:
    """Kill everything in a tree and remove it; False if something is left after the time limit."""

    def empty() -> bool:
        pids = [pid for pid in members(tree) if pid > 0]
        kill_all(pids)
        return not pids

    def gone() -> bool:
        for directory, _, _ in os.walk(tree, topdown=False):
            with suppress(OSError):  # busy: a dying process is still in it
                os.rmdir(directory)
        return not tree.exists()

    return wait_until(empty, seconds) and wait_until(gone, seconds)


def sweep() -> None:
    """Remove the empty trees of labs that are gone, whoever's: a tree with a process in it is left alone."""
    for lab_id in labs():
        for tree in trees(lab_id):
            if not members(tree):
                for directory, _, _ in os.walk(tree, topdown=False):
                    with suppress(OSError):  # in use after all: the kernel refuses
                        os.rmdir(directory)


def sweep_hidden(lab_id: str) -> None:
    """On a v1 machine nspawn makes the hosts' trees in a v2 hierarchy that nobody has mounted: remove ours there."""
    if is_v1() and (roots() and lab_id.isalnum()):
        mount = f"mount -t cgroup2 cgroup2 {roots()[0]}"
        remove = f"find {roots()[0]}/{PREFIX}{lab_id} -depth -type d -exec rmdir {{}} +"
        run(contained(["sh", "-c", f"{mount} && {remove}"]), timeout=60)
