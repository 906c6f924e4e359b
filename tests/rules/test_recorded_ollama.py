"""Logs of a real Ollama 0.33 (tests/recordings/ollama): each scenario gets the verdict that its name calls for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ongpu.rules.diagnose import diagnose
from ongpu.rules.recognise import evidence_of
from tests.rules.recorded_verdicts import RECORDED
from tests.rules.seen import recorded

RECORDINGS = Path(__file__).resolve().parent.parent / "recordings" / "ollama"
# What the log alone can tell: the variable that did it is not in it. An empty tuple with `unknown`: no GPU was found,
# or less was put on it than asked, and the log does not say why.
EXPECTED: dict[str, tuple[str, tuple[str, ...]]] = {
    "vk-baseline": ("ok", ()),
    "debug-minus1": ("ok", ()),
    "log-colors-on": ("ok", ()),
    "debug-minus2": ("ok", ()),
    "log-file": ("ok", ()),
    "log-prefix-timestamps": ("ok", ()),
    "log-verbosity-env-0": ("ok", ()),
    "log-colors-device-none": ("findings", ("hidden-cpu-work",)),
    "moe-fit-target": ("findings", ("fit-target-too-large",)),
    "num-gpu-0-request": ("findings", ("num-gpu-override",)),
    "quiet-debug": ("findings", ("placement-not-measured", "free-memory-not-read")),
    "n-gpu-layers-env-0": ("unknown", ()),
    "quiet-vulkan": ("findings", ("placement-not-measured",)),
    "prefer-host-memory": ("ok", ()),
    "second-model-does-not-fit": ("ok", ()),
    "two-gpus-sched-spread": ("ok", ()),
    "cpu-moe": ("findings", ("hidden-cpu-work",)),
    "n-cpu-moe": ("findings", ("hidden-cpu-work",)),
    "override-tensor": ("findings", ("hidden-cpu-work",)),
    "kv-offload-0": ("findings", ("hidden-cpu-work",)),
    "no-kv-offload": ("findings", ("hidden-cpu-work",)),
    "device-none": ("findings", ("hidden-cpu-work",)),
    "main-full-draft-cpu": ("findings", ("hidden-cpu-work",)),
    "moe-fit-overflow": ("findings", ("moe-overflow",)),
    "lowmem-real-oom": ("findings", ("context-too-large",)),
    "num-parallel-4": ("findings", ("context-too-large",)),
    "n-gpu-layers-env": ("unknown", ()),
    "debug2-trace": ("unknown", ()),
    "kv-cache-type-invalid": ("findings", ("kv-cache-type-rejected",)),
    "quiet-cpu": ("unknown", ()),
}


def test_every_recording_has_an_expectation() -> None:
    assert {path.name for path in RECORDINGS.iterdir() if path.is_dir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_scenario_gets_its_verdict(name: str) -> None:
    log = (RECORDINGS / name / "serve.log").read_bytes().decode("utf-8", "replace")
    found = diagnose(evidence_of({"ollama_log": log}))
    assert (found.verdict, tuple(finding.cause for finding in found.findings)) == EXPECTED[name]


@pytest.mark.parametrize(("name", "evidence"), recorded(), ids=[name for name, _ in recorded()])
def test_what_a_snapshot_would_hold_of_it_gets_the_verdict_too(name: str, evidence: dict[str, str]) -> None:
    verdict, causes = RECORDED[name]
    found = diagnose(evidence_of(evidence))
    assert found.verdict == verdict
    serious = [finding.cause for finding in found.findings if finding.severity != "info"]
    assert serious[:1] in ([[cause] for cause in causes] or [[]])


def test_every_expectation_has_a_recording() -> None:
    assert {name for name, _ in recorded()} == set(RECORDED)
