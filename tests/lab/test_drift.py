"""`ongpu drift` on real hosts: one ssh session each, what has drifted named rightly, and nothing done to the host."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ongpu.report._schema import schema
from ongpu_lab import faults
from ongpu_lab.lab import Lab
from tests.lab.fleets import PAIR, SMALL, Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

MODEL = "llama3.2:3b"
RESIDENT = "HOME=/root ollama ps | tail -n +2"


@pytest.fixture
def drift(tmp_path: Path) -> Callable[..., dict[str, dict[str, Any]]]:
    """`drift(controller, exit code, hosts...)`: the JSON record of each host, held against the schema; its history is
    in tmp_path."""

    def run(on: Controller, expect: int, *words: str) -> dict[str, dict[str, Any]]:
        files = ["--out", f"prometheus={tmp_path / 'ongpu.prom'}", "--out", f"html={tmp_path / 'ongpu.html'}"]
        done = on.ongpu("drift", *words, "--format", "json", "--history", str(tmp_path), *files)
        assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        record = json.loads(done.stdout)
        jsonschema.validate(record, schema())
        return {host["host"]: host for host in record["hosts"]}

    return run


def test_a_fleet_drifts(
    lab: Lab, blank: Callable[..., list[Host]], controller: Callable[..., Controller], drift: Any, tmp_path: Path
) -> None:
    hosts = blank("lab1", "lab2", "lab3")
    on = controller(fleet({"lab1": SMALL, "lab2": SMALL, "lab3": PAIR}))
    on.report("apply", "-y")

    _a_healthy_host_costs_one_session(on, drift, hosts)
    _what_is_not_loaded_stays_so_and_is_no_drift(on, drift, hosts[0])
    _a_model_that_only_seems_to_be_on_the_gpu_is_told(lab, on, drift, hosts[1])
    _a_hung_driver_holds_up_nothing_else(on, drift, hosts[2])
    _each_trouble_has_its_name(lab, on, drift, hosts, tmp_path)
    _the_history_knows(on, tmp_path)
    _a_wrong_key_and_an_unknown_host_key_are_told_apart(lab, controller, drift, tmp_path)


def _a_healthy_host_costs_one_session(on: Controller, drift: Any, hosts: list[Host]) -> None:
    for host in hosts:
        host.ssh_mark()
    records = drift(on, 0)
    for host in hosts:
        assert len(host.ssh_sessions()) == 1, host.ssh_sessions()
        record = records[host.name]
        assert (record["verdict"], record["changes"], record["unknowns"]) == ("ok", [], []), record
        assert [model["verdict"] for model in record["models"]] == ["verified"], record
        assert sum(device["models_bytes"] for device in record["devices"]) > 10**9
        assert record["facts"]["driver"].startswith("580.")


def _what_is_not_loaded_stays_so_and_is_no_drift(on: Controller, drift: Any, host: Host) -> None:
    host.out(f"HOME=/root ollama stop {MODEL}")
    host.ssh_mark()
    record = drift(on, 0, host.name)[host.name]
    assert [model["verdict"] for model in record["models"]] == ["not_loaded"], record
    assert record["summary"] == "as declared; no model of 1 is loaded now"
    assert host.out(RESIDENT) == ""
    assert host.ssh_count() == 1


def _a_model_that_only_seems_to_be_on_the_gpu_is_told(lab: Lab, on: Controller, drift: Any, host: Host) -> None:
    faults.apply(lab, faults.find("silent-cpu"), host.name)
    host.out(f"HOME=/root ollama stop {MODEL}")
    on.ongpu("verify", host.name, "--load")
    record = drift(on, 2, host.name)[host.name]
    assert record["verdict"] == "failed", record
    assert record["models"][0]["verdict"] == "disagreement", record
    assert record["models"][0]["witnesses"]["driver"]["says"] == "no"
    faults.clear(lab, "silent-cpu", host.name)
    host.out(f"HOME=/root ollama stop {MODEL}")


def _each_trouble_has_its_name(lab: Lab, on: Controller, drift: Any, hosts: list[Host], tmp_path: Path) -> None:
    """A deleted drop-in, no sudo, and a host that is down, in one run."""
    hosts[0].out("rm /etc/systemd/system/ollama.service.d/50-ongpu.conf && systemctl daemon-reload")
    faults.apply(lab, faults.find("no-sudo"), "lab2")
    faults.apply(lab, faults.find("host-down"), "lab3")
    hosts[0].ssh_mark()
    records = drift(on, 2)
    assert hosts[0].ssh_count() == 1
    assert records["lab1"]["verdict"] == "findings", records["lab1"]
    assert "override" in [change["resource"] for change in records["lab1"]["changes"]], records["lab1"]
    assert {name: records[name]["unknowns"][0]["what"] for name in ("lab2", "lab3")} == {
        "lab2": "sudo",
        "lab3": "unreachable",
    }
    assert hosts[0].run("test -e /etc/systemd/system/ollama.service.d/50-ongpu.conf").returncode != 0
    _both_files_were_written(tmp_path)
    done = on.ongpu("drift", "lab3", "--format", "nagios", "--history", str(tmp_path))
    assert done.returncode == 3
    assert done.stdout.startswith("ONGPU UNKNOWN - 1 host: 1 unknown; lab3: unreachable")
    faults.clear(lab, "host-down", "lab3")
    faults.clear(lab, "no-sudo", "lab2")


def _both_files_were_written(tmp_path: Path) -> None:
    samples = [
        sample
        for family in text_string_to_metric_families((tmp_path / "ongpu.prom").read_text())
        for sample in family.samples
    ]
    verdicts = {
        sample.labels["host"]: sample.labels["verdict"]
        for sample in samples
        if sample.name == "ongpu_host_verdict" and sample.value
    }
    assert verdicts == {"lab1": "findings", "lab2": "unknown", "lab3": "unknown"}
    assert "lab3" in (tmp_path / "ongpu.html").read_text()


def _a_hung_driver_holds_up_nothing_else(on: Controller, drift: Any, host: Host) -> None:
    """nvidia-smi never comes back: the look ends in time, everything else is known, and the GPU is in doubt."""
    program = "/usr/local/bin/nvidia-smi"
    host.out(f"printf '#!/bin/sh\\nexec sleep 1000\\n' >{program} && chmod +x {program}")
    begin = time.monotonic()
    record = drift(on, 3, host.name)[host.name]
    assert time.monotonic() - begin < 90
    assert record["verdict"] == "unknown", record
    assert record["facts"]["ollama"] == "0.32.15"
    assert record["devices"] == []
    host.out(f"rm {program}")


def _the_history_knows(on: Controller, tmp_path: Path) -> None:
    done: subprocess.CompletedProcess[str] = on.ongpu("history", "lab2", "--history", str(tmp_path))
    assert done.returncode == 0, done.stderr
    verdicts = [line.split("  ")[1] for line in done.stdout.splitlines() if " to " in line and not line.startswith(" ")]
    assert verdicts == ["UNKNOWN", "FAILED", "OK"], done.stdout
    assert "unknown: sudo" in done.stdout


def _a_wrong_key_and_an_unknown_host_key_are_told_apart(
    lab: Lab, controller: Callable[..., Controller], drift: Any, tmp_path: Path
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    config = (lab.dir / "ssh_config").read_text()
    (tmp_path / "wrong_key").write_text(config.replace(str(lab.dir / "id_ed25519"), str(tmp_path / "other")))
    known = tmp_path / "known_hosts"
    known.write_text("")
    (tmp_path / "no_hosts").write_text(config.replace(str(lab.dir / "known_hosts"), str(known)))
    on = controller(
        fleet(
            {
                "lab2": {**SMALL, "ssh": {"config": str(tmp_path / "wrong_key")}},
                "lab3": {**PAIR, "ssh": {"config": str(tmp_path / "no_hosts"), "known_hosts": str(known)}},
            }
        )
    )
    records = drift(on, 3)
    assert {name: record["unknowns"][0]["what"] for name, record in records.items()} == {
        "lab2": "authentication",
        "lab3": "host key",
    }
