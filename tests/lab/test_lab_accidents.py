"""Whatever is killed, and whenever: `down` cleans up, `up` works again, and nothing of the lab stays on the machine."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ongpu_lab import cgroup, layout
from ongpu_lab.hosts import control, inotify, state
from ongpu_lab.lab import Lab
from ongpu_lab.process import wait_until

pytestmark = pytest.mark.lab

SEED = int(os.environ.get("ONGPU_LAB_SEED", random.randrange(1 << 32)))
MOMENTS = 6  # per kind of accident


@pytest.fixture
def own(tmp_path: Path) -> Lab:
    """A lab of one host that is not up, apart from the session's."""
    return Lab(tmp_path / "lab", say=print)


def remains(lab: Lab) -> list[str]:
    """Everything that is left of a lab: processes, mounts, interfaces, namespaces, cgroups, files."""
    root = str(lab.dir.root)
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"{root}\0" in cmdline.read_text(errors="replace") and cmdline.parent.name != str(os.getpid()):
                found.append(f"process {cmdline.read_text(errors='replace')}")
    found += [
        f"mount {line}" for line in Path("/proc/mounts").read_text().splitlines() if root in line or " lab-" in line
    ]
    found += [f"interface {name}" for name in os.listdir("/sys/class/net") if name == "lab0" or name.startswith("v-")]
    found += [f"namespace {path}" for path in Path("/run/netns").glob("lab*")]
    found += [f"file {path}" for path in lab.dir.root.iterdir() if path.name != "lock"]
    return found


def own_trees(lab_id: str) -> list[str]:
    return [str(tree) for tree in cgroup.trees(lab_id) if tree.exists()]


def start_up(lab: Lab) -> subprocess.Popen[bytes]:
    argv = [str(Path(sys.executable).with_name("ongpu")), "lab", "--dir", str(lab.dir.root), "up", "--layout", "one"]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def pids_of(lab: Lab) -> list[int]:
    found = state.load(lab.dir)
    return sorted({pid for tree in cgroup.trees(found.lab_id) for pid in cgroup.members(tree)}) if found else []


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def a_process_of_the_lab(lab: Lab, up: subprocess.Popen[bytes], chance: random.Random) -> None:
    pids = pids_of(lab)
    if pids:
        kill(chance.choice(pids))


def the_command(lab: Lab, up: subprocess.Popen[bytes], chance: random.Random) -> None:
    kill(up.pid)


def all_of_it(lab: Lab, up: subprocess.Popen[bytes], chance: random.Random) -> None:
    kill(up.pid)
    for pid in pids_of(lab):
        kill(pid)


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("accident", [a_process_of_the_lab, the_command, all_of_it])
def test_killed_while_it_comes_up(
    own: Lab, accident: Callable[[Lab, subprocess.Popen[bytes], random.Random], None], moment: int
) -> None:
    chance = random.Random(f"{SEED} {accident.__name__} {moment}")
    after = chance.uniform(0, 2.5)
    print(f"ONGPU_LAB_SEED={SEED}: {accident.__name__} after {after:.3f} s")
    up = start_up(own)
    time.sleep(after)  # the moment is what is tested
    accident(own, up, chance)
    with suppress(subprocess.TimeoutExpired):
        up.wait(timeout=0.5)
    kill(up.pid)
    up.wait()
    found = state.load(own.dir) if own.dir.root.is_dir() else None
    own.down()
    own.down()
    if own.dir.root.is_dir():
        assert wait_until(lambda: not remains(own), 5), remains(own)
    assert found is None or own_trees(found.lab_id) == []


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_down_killed_and_run_again(own: Lab, moment: int) -> None:
    chance = random.Random(f"{SEED} down {moment}")
    after = chance.uniform(0, 0.3)
    print(f"ONGPU_LAB_SEED={SEED}: down killed after {after:.3f} s")
    own.up(layout.load("one"))
    lab_id = own.state().lab_id
    down = subprocess.Popen(
        [str(Path(sys.executable).with_name("ongpu")), "lab", "--dir", str(own.dir.root), "down"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(after)  # the moment is what is tested
    kill(down.pid)
    down.wait()
    own.down()
    assert wait_until(lambda: not remains(own), 5), remains(own)
    assert own_trees(lab_id) == []


def test_the_supervisors_death_ends_everything_at_once(own: Lab) -> None:
    own.up(layout.load("one"))
    lab_id = own.state().lab_id
    pids = pids_of(own)
    assert len(pids) > 5
    supervisors = [pid for tree in cgroup.trees(lab_id) for pid in cgroup.members(tree / cgroup.SUPERVISOR)]
    kill(min(supervisors))
    assert wait_until(lambda: pids_of(own) == [], 5), pids_of(own)
    assert not control.running(own.dir)
    own.up(layout.load("one"))  # cleans up by itself
    assert own.state().lab_id != lab_id
    assert own_trees(lab_id) == []
    own.down()
    assert remains(own) == []


def test_a_lab_whose_directory_is_deleted_ends_by_itself(own: Lab) -> None:
    import shutil

    own.up(layout.load("one"))
    lab_id = own.state().lab_id
    shutil.rmtree(own.dir.root)
    trees = cgroup.trees(lab_id)
    assert wait_until(lambda: not any(cgroup.members(tree) for tree in trees), 10)
    cgroup.sweep()
    assert own_trees(lab_id) == []


def test_a_raised_sysctl_is_said_and_put_back(own: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    before = inotify.SYSCTL.read_text()
    monkeypatch.setattr(inotify, "RESERVE", int(before))
    own.say = said.append
    own.up(layout.load("one"))
    raised = int(inotify.SYSCTL.read_text())
    own.down()
    assert raised > int(before)
    assert any("raised fs.inotify.max_user_instances" in text for text in said)
    others = any(cgroup.members(tree) for lab_id in cgroup.labs() for tree in cgroup.trees(lab_id))
    assert int(inotify.SYSCTL.read_text()) == (raised if others else int(before)), "the last lab puts it back"


def test_down_removes_what_a_kill_left_half_written(tmp_path: Path) -> None:
    (tmp_path / ".known_hosts.new").write_text("lab1 ssh-ed25519")
    assert Lab(tmp_path, say=print).down()
    assert not (tmp_path / ".known_hosts.new").exists()
