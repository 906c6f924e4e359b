"""A lab as its user sees it: up, status, run, fault, reboot, down. Everything but the command line."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ongpu_lab import cgroup, faults
from ongpu_lab.base.build import cache_home
from ongpu_lab.errors import LabError
from ongpu_lab.hosts import capsule, control, enter, inotify
from ongpu_lab.hosts.paths import ENTRIES, LabDir
from ongpu_lab.hosts.prepare import check_profiles, hand_over, prepare
from ongpu_lab.hosts.state import State, load
from ongpu_lab.layout import Layout
from ongpu_lab.process import wait_until
from ongpu_lab.tools import require_machine

START_SECONDS = 60
BOOT_SECONDS = 300

Say = Callable[[str], None]
Status = dict[str, Any]


def silent(_: str) -> None:
    """For callers that have nobody to talk to."""


class Lab:
    """The lab in one directory, whether it runs or not."""

    def __init__(self, directory: str | Path, say: Say = silent) -> None:
        self.dir = LabDir.at(directory)
        self.say = say

    def up(self, layout: Layout) -> Status:
        """Bring the lab up, or what of it is down. Returns when every host takes logins. Raises LabError."""
        require_machine()
        check_profiles(layout)
        with self._alone():
            if control.running(self.dir):
                self._same(layout)
                self.say(f"the lab in {self.dir.root} is already up")
                for host in self.status()["hosts"]:
                    if host["state"] in ("down", "failed"):
                        self.say(f"starting {host['host']}")
                        self.ask("start", host["host"])
                        faults.started(self, host["host"])
            else:
                self._start(layout)
            return _all_running(control.ask(self.dir, {"do": "settle"}, BOOT_SECONDS))

    def down(self) -> bool:
        """End everything and remove what the lab made; False if there was nothing. Safe at any time, twice too."""
        if not self.dir.root.is_dir():
            return False
        with self._alone():
            return self._clean()

    def status(self) -> Status:
        """`hosts`: one mapping per host (Machine.status), `site`: of the web server. Raises LabError without a lab."""
        return self._asked({"do": "status"}, 30)

    def ask(self, do: str, host: str, **more: Any) -> dict[str, Any]:
        """start, reboot, reset, kill or disk; answers with the host's status once it has settled."""
        return self._asked({"do": do, "host": host, **more}, BOOT_SECONDS)

    def state(self) -> State:
        """Raises LabError without a lab."""
        state = load(self.dir)
        if state is None:
            raise LabError(f"There is no lab in {self.dir.root}: `ongpu lab up` makes one.")
        return state

    def layout_that_runs(self) -> Layout | None:
        """The layout of the lab that is up here, if one is."""
        state = load(self.dir)
        return state.layout if state is not None and control.running(self.dir) else None

    def run(self, host: str, *command: str, stdin: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """A command on a host, as root, not through ssh. Raises LabError when the host is down."""
        return enter.run(self.state(), host, command, stdin, timeout)

    def _asked(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        self.state()
        try:
            return control.ask(self.dir, request, seconds)
        except (ConnectionError, FileNotFoundError) as error:
            raise LabError(f"The lab in {self.dir.root} is not running: `ongpu lab up` starts it.") from error
        except PermissionError as error:
            raise LabError(f"The lab in {self.dir.root} belongs to root: run this command with sudo.") from error

    def _same(self, layout: Layout) -> None:
        if self.state().layout != layout:
            raise LabError(f"A lab with other hosts runs in {self.dir.root}: take it down first (`ongpu lab down`).")

    def _start(self, layout: Layout) -> None:
        if self._clean():
            self.say("removed the remains of a lab that did not end properly")
        try:
            state = prepare(self.dir, layout, cache_home(), self.say)
            inotify.raise_for(len(layout.hosts), self.say)
            supervisor = capsule.start(self.dir, state.lab_id)
            up = wait_until(lambda: supervisor.poll() is not None or control.running(self.dir), START_SECONDS)
            if not up or supervisor.poll() is not None:
                raise LabError(f"The lab did not start: {_last_line(self.dir / 'lab.log')}")
            hand_over(self.dir, layout)
        except BaseException:
            self._clean()
            raise

    def _clean(self) -> bool:
        """End and remove everything of this lab, in whatever state it is."""
        try:
            state = load(self.dir)
        except LabError:
            state = None  # damaged; what still runs is then found by its directory being gone
        if state is not None:
            for tree in cgroup.trees(state.lab_id):
                if not cgroup.destroy(tree):
                    raise LabError(f"Processes of the lab do not end: see {tree}.")
            cgroup.sweep_hidden(state.lab_id)
        names = [*ENTRIES, *(f".{name}.new" for name in ENTRIES)]  # killed within state.write_whole
        found = [path for name in names if (path := self.dir.root / name).exists() or path.is_symlink()]
        for path in sorted(
            found, key=lambda path: path.name == "state.json"
        ):  # the state last: a kill can come anytime
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        cgroup.sweep()
        inotify.put_back(self.say)
        return bool(found)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.dir.root.mkdir(parents=True, exist_ok=True)
            handle = self.dir.lock().open("w")
        except OSError as error:
            raise LabError(f"Cannot write to {self.dir.root} ({error.strerror}): run this command as root.") from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.say("another command changes this lab; waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _all_running(status: Status) -> Status:
    """Raises LabError naming the hosts that did not come up."""
    bad = [
        f"{host['host']} is {host['state']} ({host['reason']})"
        for host in status["hosts"]
        if host["state"] != "running"
    ]
    if status["site"] != "running":
        bad.append("the vendors' web server is not running (see lab.log)")
    if bad:
        raise LabError(f"The lab is not as it should be: {'; '.join(bad)}.")
    return status


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), f"it said nothing in {log}")
