"""The alert rules and the dashboard fit the metrics that the prometheus format writes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from ongpu.cli.monitoring import command
from ongpu.report import renderer
from tests.report.samples import FACTS, GIB, MIXED, device, down, drifted, fleet, on_cpu, proven

NAME = re.compile(r"\bongpu_\w+\b")


def printed(what: str) -> str:
    done = CliRunner().invoke(command, [what], standalone_mode=False)
    assert done.exception is None
    return done.output


def written() -> str:
    """Every metric that there is."""
    full = replace(device(12 * GIB, 10 * GIB), weights_bytes=8 * GIB, kv_bytes=GIB, compute_bytes=GIB)
    facts = {**FACTS, "os": "Debian 12", "driver_library": "580.95.05", "cuda": "13.0"}
    return renderer("prometheus")(replace(MIXED, hosts=(replace(proven(), devices=(full,), facts=facts), *MIXED.hosts)))


def labels() -> dict[str, set[str]]:
    """Metric -> the names of its labels."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(written()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> list[str]:
    rules = [rule["expr"] for group in yaml.safe_load(printed("alerts"))["groups"] for rule in group["rules"]]
    panels: list[dict[str, Any]] = json.loads(printed("dashboard"))["panels"]
    return rules + [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_and_label_that_is_asked_for_is_written(expression: str) -> None:
    known = labels()
    names = NAME.findall(expression)
    assert names
    for name in names:
        assert name in known
    for name, chosen in re.findall(r"\b(ongpu_\w+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)=", chosen)) <= known[name]


def test_what_an_alert_says_uses_labels_that_it_has() -> None:
    known = labels()
    for group in yaml.safe_load(printed("alerts"))["groups"]:
        for rule in group["rules"]:
            texts = " ".join(rule["annotations"].values())
            for label in re.findall(r"\$labels\.(\w+)", texts):
                assert label in known[NAME.findall(rule["expr"])[0]] | {"instance"}, rule["alert"]


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    """Its own list: unique ids, positions on a grid of 24 without overlap, a data source that can be chosen."""
    board = json.loads(printed("dashboard"))
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= set(board)
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["datasource"]["uid"] == "${datasource}"


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool here (Debian: prometheus)")
def test_the_rules_fire_on_what_ongpu_writes(tmp_path: Path) -> None:
    """The samples of a real report, for two hours; then promtool says which alerts are up."""
    assert PROMTOOL is not None
    (tmp_path / "alerts.yml").write_text(printed("alerts"))
    text = renderer("prometheus")(fleet(proven(), drifted(), on_cpu(), down()))
    series = [
        {"series": line.rpartition(" ")[0], "values": f"{'0' if 'timestamp' in line else line.rpartition(' ')[2]}x130"}
        for line in text.splitlines()
        if not line.startswith("#")
    ]
    expected = [
        ("OngpuModelNotOnGPU", {"model": "llama3.3:70b", "host": "gpu04", "verdict": "not_verified"}),
        ("OngpuHostFailed", {"host": "gpu04", "verdict": "failed"}),
        ("OngpuDrift", {"host": "gpu03", "verdict": "findings"}),
        ("OngpuHostUnknown", {"host": "gpu05", "verdict": "unknown"}),
        ("OngpuSilent", {"command": "drift"}),
        ("OngpuNeverRan", None),
    ]
    rules = {rule["alert"]: rule for group in yaml.safe_load(printed("alerts"))["groups"] for rule in group["rules"]}
    tests = [
        {"eval_time": "2h", "alertname": name, "exp_alerts": _alerts(rules[name], wanted)} for name, wanted in expected
    ]
    case = {
        "rule_files": ["alerts.yml"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "alert_rule_test": tests}],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(case))
    done = subprocess.run(
        [PROMTOOL, "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _alerts(rule: dict[str, Any], labels: dict[str, str] | None) -> list[dict[str, Any]]:
    """As promtool expects them: with the rule's own labels and texts filled in. None = it is quiet."""
    if labels is None:
        return []
    texts = {
        name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels.get(found[1], ""), text).replace(
            "{{ $value | humanizeDuration }}", "2h 0m 0s"
        )
        for name, text in rule["annotations"].items()
    }
    return [{"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": texts}]
