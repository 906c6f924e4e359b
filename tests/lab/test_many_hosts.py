"""`ongpu drift` over ten hosts of which seven are not well, each in another way: all named rightly, in time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from junitparser import JUnitXml
from prometheus_client.parser import text_string_to_metric_families

from ongpu.report._schema import schema
from ongpu_lab import faults, layout
from ongpu_lab.lab import Lab
from tests.lab.fleets import SMALL, Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

HEALTHY, DRIFTED, HUNG = ("lab1", "lab2", "lab3"), ("lab4", "lab5", "lab6"), "lab7"
DOWN, WRONG_KEY, NO_SUDO = "lab8", "lab9", "lab10"
EVERY = [f"lab{number}" for number in range(1, 11)]
SECONDS = 60
TEN = "".join(f'[[host]]\nname = "{name}"\nsuite = "bookworm"\nprofile = "rtx4060"\n' for name in EVERY)


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    one = Lab(tmp_path_factory.mktemp("ten") / "dir")
    try:
        one.up(layout.parse(TEN, "ten hosts"))
        yield one
    finally:
        one.down()


@pytest.fixture
def on(ten: Lab, tmp_path: Path) -> Controller:
    """Ten declared hosts; of one, known_hosts has another host's key."""
    known = (ten.dir / "known_hosts").read_text()
    keys = {line.split(",")[0]: line.split(" ", 1)[1] for line in known.splitlines()}
    (tmp_path / "wrong").write_text(f"{WRONG_KEY} {keys['lab1']}\n")
    hosts: dict[str, Any] = dict.fromkeys(EVERY, SMALL)
    hosts[WRONG_KEY] = {**SMALL, "ssh": {"known_hosts": str(tmp_path / "wrong")}}
    declared = fleet(hosts)
    declared["defaults"] |= {
        "ssh": {
            "user": "ops",
            "sudo": True,
            "config": str(ten.dir / "ssh_config"),
            "known_hosts": str(ten.dir / "known_hosts"),
        }
    }
    declared["defaults"]["driver"]["repository"] = {"key": str(ten.dir / "nvidia-key.asc")}
    file = tmp_path / "inventory" / "fleet.yaml"
    file.parent.mkdir()
    file.write_text(json.dumps({"version": 1, **declared}))  # JSON is YAML
    return Controller(file)


def _break(ten: Lab) -> dict[str, Host]:
    hosts = {name: Host(ten, name) for name in EVERY}
    hosts["lab4"].out("rm /etc/systemd/system/ollama.service.d/50-ongpu.conf && systemctl daemon-reload")
    hosts["lab5"].out("HOME=/root ollama stop llama3.2:3b; HOME=/root ollama rm llama3.2:3b")
    faults.apply(ten, faults.find("service-started-before-driver"), "lab6")
    hosts[HUNG].out("cd /usr/local/bin && printf '#!/bin/sh\\nexec sleep 1000\\n' >nvidia-smi && chmod +x nvidia-smi")
    faults.apply(ten, faults.find("host-down"), DOWN)
    faults.apply(ten, faults.find("no-sudo"), NO_SUDO)
    return hosts


def test_seven_of_ten_are_not_well(ten: Lab, on: Controller, tmp_path: Path) -> None:
    on.report("apply", "-y", *HEALTHY, *DRIFTED, HUNG)
    hosts = _break(ten)
    for name in (*HEALTHY, *DRIFTED):
        hosts[name].ssh_mark()
    files = [f"--out={kind}={tmp_path / kind}" for kind in ("prometheus", "junit", "html")]
    began = time.monotonic()
    done = on.ongpu("drift", "--format", "json", "--timeout", str(SECONDS), *files)
    assert time.monotonic() - began < SECONDS + 5
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    body = json.loads(done.stdout)
    jsonschema.validate(body, schema())
    records = {host["host"]: host for host in body["hosts"]}
    _each_is_named_rightly(records)
    for name in (*HEALTHY, *DRIFTED):
        assert hosts[name].ssh_count() == 1, name
    _the_files_say_the_same(tmp_path, {name: record["verdict"] for name, record in records.items()})


def _each_is_named_rightly(records: dict[str, Any]) -> None:
    for name in HEALTHY:
        assert (records[name]["verdict"], records[name]["findings"]) == ("ok", []), records[name]
        assert [model["verdict"] for model in records[name]["models"]] == ["verified"]
    assert "override" in [change["resource"] for change in records["lab4"]["changes"]], records["lab4"]
    assert records["lab4"]["verdict"] == "findings"
    assert records["lab5"]["verdict"] == "failed", records["lab5"]
    assert "not in the store" in records["lab5"]["summary"]
    assert records["lab6"]["findings"][0]["cause"] == "service-older-than-driver", records["lab6"]
    restart = next(change for change in records["lab6"]["changes"] if change["resource"] == "restart")
    assert restart["cause"] == "service-older-than-driver", records["lab6"]
    assert records[HUNG]["verdict"] == "unknown", records[HUNG]
    assert records[HUNG]["facts"]["ollama"] == "0.32.15"
    kinds = {name: records[name]["unknowns"][0]["what"] for name in (DOWN, WRONG_KEY, NO_SUDO)}
    assert kinds == {DOWN: "unreachable", WRONG_KEY: "host key", NO_SUDO: "sudo"}
    assert {records[name]["verdict"] for name in kinds} == {"unknown"}
    assert any("nvidia-smi" in unknown["why"] for unknown in records[HUNG]["unknowns"]), records[HUNG]


def _the_files_say_the_same(place: Path, verdicts: dict[str, str]) -> None:
    families = text_string_to_metric_families((place / "prometheus").read_text())
    samples = [sample for family in families for sample in family.samples if sample.name == "ongpu_host_verdict"]
    assert {s.labels["host"]: s.labels["verdict"] for s in samples if s.value} == verdicts
    suites = {suite.name: suite for suite in JUnitXml.fromfile(str(place / "junit"))}
    assert len(suites) == len(verdicts)
    for host, verdict in verdicts.items():
        suite = next(suite for name, suite in suites.items() if host == name.split(".")[-1] or host == name)
        assert bool(suite.failures + suite.errors) == (verdict != "ok"), host
    assert all(host in (place / "html").read_text() for host in verdicts)
