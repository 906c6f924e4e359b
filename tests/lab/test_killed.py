"""Killed at any moment, run again: the controller, the host, and the demo. Moments are random; the seed is printed and
`ONGPU_LAB_SEED` repeats it, `ONGPU_LAB_KILLS` sets how often the demo is killed."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ongpu_lab import cgroup
from ongpu_lab.lab import Lab
from ongpu_lab.process import wait_until
from tests.lab.fleets import SMALL, TOP, Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

MARK = "touch /run/exchange-begins"
BEGUN = '[ -n "$(find /var/lib/ongpu/stopped-units -newer /run/exchange-begins 2>/dev/null)" ]'
REFUSED = 4  # the host still works on the killed run's last step


@pytest.fixture
def moments() -> random.Random:
    seed = os.environ.get("ONGPU_LAB_SEED") or str(time.time_ns())
    print(f"ONGPU_LAB_SEED={seed}")
    return random.Random(seed)


def apply_until_done(on: Controller) -> None:
    deadline = time.monotonic() + 300
    while (done := on.ongpu("apply", "-y")).returncode == REFUSED and time.monotonic() < deadline:
        assert "another ongpu run is changing this host right now" in done.stdout, done.stdout
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("turn", range(3))
def test_an_apply_whose_controller_is_killed_is_finished_by_the_next(
    turn: int, host: Host, controller: Callable[..., Controller], moments: random.Random
) -> None:
    on = controller(fleet({"lab1": SMALL}))
    run = on.start("apply", "-y")
    time.sleep(moments.uniform(0.5, 12))  # the moment is the test: there is no condition to wait for
    run.kill()
    run.wait()
    apply_until_done(on)
    assert host.out("dpkg --audit") == ""
    assert on.report("plan")["lab1"]["verdict"] == "ok"


@pytest.mark.parametrize("turn", range(3))
def test_an_apply_whose_host_loses_power_is_finished_by_the_next(
    turn: int, host: Host, controller: Callable[..., Controller], moments: random.Random
) -> None:
    on = controller(fleet({"lab1": SMALL}))
    run = on.start("apply", "-y")
    time.sleep(moments.uniform(0.5, 12))
    host.lab.ask("kill", host.name)
    assert run.wait(timeout=120) in (0, 2, 3), "one clear end"
    host.start()
    apply_until_done(on)
    assert host.out("dpkg --audit") == ""
    assert on.report("plan")["lab1"]["verdict"] == "ok"


@pytest.fixture(scope="module")
def served(lab: Lab) -> Host:
    """lab2 serves with one driver; each test exchanges it for the other one."""
    host = Host(lab, "lab2")
    host.reset()
    return host


@pytest.mark.parametrize("victim", ["controller", "script", "power"])
def test_an_exchange_of_the_driver_that_is_cut_off_is_finished_by_the_next(
    victim: str, served: Host, controller: Callable[..., Controller], moments: random.Random
) -> None:
    """While it serves, by a reload. `script`: all of it on the host, apt too, but not what it started."""
    loaded = served.run("cut -d . -f 1 /sys/module/nvidia/version").stdout.strip()
    if not loaded:
        loaded = "570"
        apply_until_done(controller(fleet({"lab2": SMALL}, driver={"branch": loaded})))
    branch = {"570": "580", "580": "570"}[loaded]
    on = controller(fleet({"lab2": SMALL}, driver={"branch": branch}))
    served.out(MARK)
    run = on.start("apply", "-y")
    begun = wait_until(lambda: served.run(BEGUN).returncode == 0, 60)
    assert begun, "it never stopped a service"
    time.sleep(moments.uniform(0, 6))
    match victim:
        case "controller":
            run.kill()
        case "script":
            served.run("systemctl kill --signal=KILL 'session-*.scope'")
        case _:
            served.lab.ask("kill", served.name)
    assert run.wait(timeout=120) in (-signal.SIGKILL, 0, 2, 3), "one clear end"
    if victim == "power":
        served.start()
    apply_until_done(on)
    assert served.out("dpkg --audit") == ""
    assert served.out("cut -d . -f 1 /sys/module/nvidia/version") == branch
    assert served.out("systemctl is-active ollama nvidia-persistenced").split() == ["active", "active"]
    assert served.run("ls /var/lib/ongpu/stopped-units /var/lib/ongpu/reload-failed").stdout == ""
    assert on.report("plan")["lab2"]["verdict"] == "ok"


def test_a_killed_demo_leaves_nothing_behind(tmp_path: Path, moments: random.Random) -> None:
    """In a checkout of its own; after each kill `ongpu lab down`, in turn with a demo that starts over the remains."""
    checkout = tmp_path / "checkout"
    made = shutil.ignore_patterns(".git", ".venv", ".lab", "history", "__pycache__", "*_cache", ".hypothesis", "dist")
    shutil.copytree(TOP, checkout, ignore=made)
    (checkout / ".venv").symlink_to(TOP / ".venv")
    before = traces(checkout)
    down = [str(TOP / ".venv/bin/ongpu"), "lab", "down"]
    for turn in range(int(os.environ.get("ONGPU_LAB_KILLS", "3"))):
        demo = subprocess.Popen(
            ["script/demo"], cwd=checkout, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        moment = moments.uniform(0.2, 45)
        time.sleep(moment)
        with contextlib.suppress(ProcessLookupError):  # it may have ended by then, and left its lab up
            os.killpg(demo.pid, signal.SIGKILL)
        demo.wait()
        if turn % 2 == 0:
            done = subprocess.run(down, cwd=checkout, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, (moment, done.stderr)
            assert traces(checkout) <= before, f"killed after {moment:.1f} s"
    demo = subprocess.run(
        ["script/demo"],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    subprocess.run(down, cwd=checkout, check=True, timeout=120)
    assert traces(checkout) <= before


def traces(checkout: Path) -> set[str]:
    """Whatever a lab of this checkout could leave on this machine. Other labs may run beside it."""
    namespaces = Path("/run/netns")
    links = {f"interface {entry.name}" for entry in Path("/sys/class/net").iterdir()}
    mounts = {f"mount {line.split()[4]}" for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    named = {f"namespace {entry.name}" for entry in namespaces.iterdir()} if namespaces.exists() else set()
    supervisors = {line for line in processes("ongpu_lab.hosts.supervisor") if str(checkout) not in line}
    trees = {f"cgroup {lab}" for lab in cgroup.labs() if not any(lab in line for line in supervisors)}
    return links | mounts | named | trees | processes(str(checkout))


def processes(word: str) -> set[str]:
    """Those that name it; the others of a lab live in its cgroups, which go only when they are empty."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if word in line:
                    found.add(f"process {entry.name} {line}")
    return found
