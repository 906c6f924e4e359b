"""The main job on real hosts: blank to proven, by both ways in, at its price in ssh executions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ongpu.plan.build import RESOURCES
from ongpu_lab import faults
from tests.lab.fleets import PAIR, SMALL, Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

Blank = Callable[..., list[Host]]


def test_blank_hosts_become_proven_servers_and_stay_as_they_are(blank: Blank, controller: Callable[..., Controller]):
    hosts = blank("lab1", "lab2", "lab3")
    on = controller(fleet({"lab1": SMALL, "lab2": SMALL, "lab3": PAIR}))

    done = on.pyinfra("-y")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("fully on GPU") == 3

    _every_model_is_proven_by_three(on)
    _a_second_run_changes_nothing(on)
    _costs_what_it_should(on, hosts[0])
    _a_reboot_changes_nothing(on, hosts[0])


def _every_model_is_proven_by_three(on: Controller) -> None:
    for name, record in on.report("verify", expect=0).items():
        for model in record["models"]:
            assert model["verdict"] == "verified", (name, model)
            assert model["bytes"] == model["bytes_on_gpu"] > 10**9
            speaking = [witness for witness, said in model["witnesses"].items() if said["says"] == "yes"]
            assert len(speaking) >= 3, (name, model)


def _a_second_run_changes_nothing(on: Controller) -> None:
    assert on.report("plan", expect=0)["lab1"]["changes"] == []
    dry = on.pyinfra("--dry")
    assert dry.returncode == 0, dry.stderr
    rows = [line for line in dry.stderr.splitlines() if line.strip().startswith("ongpu | ")]
    assert len(rows) == len(RESOURCES) + 1, "and the proof"
    assert all(row.split()[-2:] == ["-", "-"] for row in rows), dry.stderr


def _costs_what_it_should(on: Controller, host: Host) -> None:
    """Round trips are counted at sshd."""
    for limit, work in (
        (1, lambda: on.report("plan", "lab1")),
        (1, lambda: on.ongpu("snapshot", "lab1")),
        (1, lambda: on.pyinfra("--dry", "--limit", "lab1")),
        (2, lambda: on.pyinfra("-y", "--limit", "lab1")),  # 1 before the verification
        (1, lambda: on.report("verify", "lab1")),
        (2, lambda: on.report("verify", "lab1", "--load")),  # what might be evicted is looked at first
    ):
        host.ssh_mark()
        done = work()
        sessions = host.ssh_sessions()
        assert 1 <= len(sessions) <= limit, (sessions, done)


def _a_reboot_changes_nothing(on: Controller, host: Host) -> None:
    host.reboot()
    assert on.report("plan", "lab1")["lab1"]["verdict"] == "ok"
    assert on.report("verify", "lab1", "--load")["lab1"]["models"][0]["verdict"] == "verified"


def test_a_confirmed_run_does_what_was_shown(blank: Blank, controller: Callable[..., Controller]):
    """By plain pyinfra and the key Enter, with --diff."""
    blank("lab1")
    on = controller(fleet({"lab1": {**SMALL, "models": {}}}))
    done = on.pyinfra("--diff", says="\n")
    assert done.returncode == 0, done.stderr
    assert '+Environment="OLLAMA_HOST=127.0.0.1:11434"' in done.stderr
    assert on.report("plan")["lab1"]["verdict"] == "ok"


def test_a_model_that_a_driver_upgrade_left_on_the_cpu_is_brought_back(
    host: Host, controller: Callable[..., Controller]
) -> None:
    """The headline: user space was upgraded under a running service, and the model was loaded again."""
    on = controller(fleet({"lab1": SMALL}))
    assert on.report("apply", "-y")["lab1"]["models"][0]["verdict"] == "verified"
    faults.apply(host.lab, faults.find("driver-upgraded-under-service"), "lab1")
    host.out("HOME=/root ollama stop llama3.2:3b")
    lost = on.report("verify", "--load", expect=2)["lab1"]
    assert lost["models"][0]["verdict"] == "not_verified", lost
    assert lost["models"][0]["bytes_on_gpu"] == 0

    record = on.report("apply", "-y")["lab1"]
    assert record["models"][0]["verdict"] == "verified", record
    assert on.report("plan")["lab1"]["verdict"] == "ok"


def test_a_drop_in_that_breaks_the_service_is_put_back(host: Host, controller: Callable[..., Controller]) -> None:
    on = controller(fleet({"lab1": SMALL}))
    on.report("apply", "-y")
    host.out("mkdir -m 700 /srv/closed")
    broken = controller(fleet({"lab1": SMALL}, ollama={"release": "0.32.15", "models_dir": "/srv/closed"}))
    record = broken.report("apply", "-y", expect=2)["lab1"]
    assert "/srv/closed" in record["error"], record
    assert on.report("verify", "--load")["lab1"]["models"][0]["verdict"] == "verified"
