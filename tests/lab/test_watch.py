"""The drift check that runs by itself: a timer on a host, its look at itself, and what is found when it is silent."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.lab import portable
from tests.lab.fleets import SMALL, Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

TEXTFILE = "/var/lib/ongpu/ongpu.prom"


def samples(host: Host, metric: str) -> dict[tuple[str, ...], float]:
    """The values of a metric in the host's textfile, by its labels' values."""
    families = text_string_to_metric_families(host.out(f"cat {TEXTFILE}"))
    return {
        tuple(one.labels.values()): one.value for family in families for one in family.samples if one.name == metric
    }


def check(host: Host) -> None:
    """One whole check from now on: to start a check that the timer began before only waits for that one."""
    host.run("systemctl start ongpu-drift")
    host.run("systemctl start ongpu-drift")


def test_a_host_checks_itself(host: Host, controller: Callable[..., Controller]) -> None:
    watch = {"every": "5m", "out": {"prometheus": TEXTFILE}}
    on = controller(fleet({"lab1": {**SMALL, "watch": watch}}))

    # Nothing on the host could run the check: everything else is done, this part is refused with what to declare.
    refused = on.ongpu("apply", "-y")
    assert refused.returncode == 4, refused.stdout + refused.stderr
    assert "declare watch.package" in refused.stdout
    assert on.ongpu("verify").returncode == 0

    portable.install(host)
    done = on.ongpu("apply", "-y")
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.out("systemctl is-enabled ongpu-drift.timer") == "enabled"
    assert host.out("stat -c %a /etc/ongpu/fleet.yaml") == "600"
    assert on.report("plan")["lab1"]["verdict"] == "ok"

    # The timer is going to start it; the host finds itself in order, by the same plan as the controller's.
    assert host.out("systemctl list-timers --no-legend ongpu-drift.timer").endswith("ongpu-drift.service")
    check(host)
    assert samples(host, "ongpu_host_verdict")["lab1", "ok"] == 1, host.out("journalctl -u ongpu-drift -o cat")
    assert samples(host, "ongpu_gpu_memory_weights_bytes")
    history = json.loads(host.out("ongpu history --history /var/lib/ongpu/history --format json"))
    assert [span["host"] for span in history["spans"]] == ["lab1"]

    # What it finds is written, and is no failure of the check.
    host.out("systemctl stop ollama")
    check(host)
    assert samples(host, "ongpu_host_verdict")["lab1", "failed"] == 1, host.out("journalctl -u ongpu-drift -o cat")
    assert host.out("systemctl show ongpu-drift -P Result") == "success"
    host.out("systemctl start ollama")

    # A timer that was stopped is a difference, and comes back.
    host.out("systemctl disable --now ongpu-drift.timer")
    assert [change["resource"] for change in on.report("drift", expect=2)["lab1"]["changes"]] == ["watch"]
    assert on.ongpu("apply", "-y").returncode == 0
    assert host.out("systemctl is-active ongpu-drift.timer") == "active"

    # So is a check that cannot do its work; the sentence is its own.
    host.out("chmod 644 /etc/ongpu/fleet.yaml && echo 'hosts: {' >/etc/ongpu/fleet.yaml")
    assert host.run("systemctl start ongpu-drift").returncode != 0
    told = on.report("drift", expect=2)["lab1"]["changes"]
    assert [change["resource"] for change in told] == ["watch"]
    assert on.ongpu("apply", "-y").returncode == 0
    check(host)
    assert on.report("drift")["lab1"]["verdict"] == "ok"
