"""fs.inotify.max_user_instances: each systemd takes about 7 of the 128 that a machine has by default.

What is raised is said, noted where all labs of the machine see it, and put back when the last lab goes.
"""

from __future__ import annotations

import fcntl
import glob
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ongpu_lab import cgroup
from ongpu_lab.errors import LabError
from ongpu_lab.process import boot_id

SYSCTL = Path("/proc/sys/fs/inotify/max_user_instances")
NOTE = Path("/run/ongpu-lab.inotify.json")
PER_HOST = 8  # 7 measured with systemd 252 and 257, and one to spare
RESERVE = 64  # for the machine itself


def needed(hosts: int, running: int = 0, in_use: int = 0) -> int:
    """The limit for this many more hosts. `running` hosts of labs may still be booting: they count in full."""
    return hosts * PER_HOST + max(running * PER_HOST, in_use) + RESERVE


def raise_for(hosts: int, say: Callable[[str], None]) -> None:
    """Make room for this many more hosts. Raises LabError where the machine forbids it."""
    with _alone():
        now = int(SYSCTL.read_text())
        want = needed(hosts, _hosts_running(), _in_use())
        if now >= want:
            return
        note = _note() or {"boot_id": boot_id(), "before": now}
        NOTE.write_text(json.dumps({**note, "set": want}))
        try:
            SYSCTL.write_text(str(want))
        except OSError as error:
            NOTE.unlink(missing_ok=True)
            reason = f"fs.inotify.max_user_instances is {now} and cannot be raised ({error.strerror})"
            raise LabError(f"{reason}: {hosts} hosts need {want}.") from error
        say(f"raised fs.inotify.max_user_instances from {now} to {want}; `ongpu lab down` puts it back")


def put_back(say: Callable[[str], None]) -> None:
    """Undo raise_for once no lab is left, unless somebody has changed the value since."""
    with _alone():
        note = _note()
        if note is None or _hosts_running():
            return
        if int(SYSCTL.read_text()) == note["set"]:
            SYSCTL.write_text(str(note["before"]))
            say(f"put fs.inotify.max_user_instances back to {note['before']}")
        NOTE.unlink(missing_ok=True)


def _hosts_running() -> int:
    """Branches with processes in all labs of this machine."""
    count = 0
    for lab_id in cgroup.labs():
        for tree in cgroup.trees(lab_id)[:1]:
            with suppress(OSError):
                branches = [path for path in tree.iterdir() if path.is_dir() and path.name != cgroup.SUPERVISOR]
                count += sum(1 for branch in branches if cgroup.members(branch))
    return count


def _in_use() -> int:
    """inotify instances that are open on this machine, whoever's."""
    count = 0
    for link in glob.iglob("/proc/[0-9]*/fd/*"):
        with suppress(OSError):  # closed meanwhile
            count += os.readlink(link) == "anon_inode:inotify"
    return count


def _note() -> dict[str, int | str] | None:
    """What was noted in this boot of the machine; a reboot resets the sysctl by itself."""
    with suppress(OSError, ValueError):
        note: dict[str, int | str] = json.loads(NOTE.read_text())
        if note.get("boot_id") == boot_id() and {"before", "set"} <= set(note):
            return note
    return None


@contextmanager
def _alone() -> Iterator[None]:
    with NOTE.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
