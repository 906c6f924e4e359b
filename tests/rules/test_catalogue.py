"""Every rule is complete, and says of its own examples what they are there for."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from ongpu.errors import OngpuError
from ongpu.rules.catalogue import PARTS, Entry, catalogue, entry_of
from ongpu.rules.diagnose import diagnose
from ongpu.rules.recognise import evidence_of
from ongpu.rules.rule import HEADINGS, SAFETIES

PREFIX = {"hardware": "HW", "software": "SW", "environment": "ENV", "calls": "CALL"}
# The root causes that diagnosis is measured on (`script/bench diagnosis`).
CAUSES = """
distro-package-no-cuda slurm-rocr-visible-devices container-gpu-lost-cgroup context-too-large driver-library-mismatch
install-incomplete cpu-lacks-avx cuda-arch-not-in-build driver-too-old fabric-manager-not-running
module-missing-for-kernel nvidia-uvm-not-loaded uvm-stale-after-suspend vgpu-unlicensed compute-capability-unsupported
num-gpu-override amd-driver-blocks-discovery container-toolkit-missing cuda-stub-library cuda-v13-picked-for-old-gpu
gpu-busy-or-exclusive gpu-discovery-timeout gpu-fallen-off-bus installer-gpu-detect-warning jetson-wrong-runtime
kv-quant-attention-on-cpu mig-discovery-regression model-slightly-too-large secure-boot-module-rejected tmp-full
tmp-noexec vram-oom vulkan-uses-hidden-gpu wrong-libcuda-picked container-no-device-nodes container-without-gpu
cuda-compat-lib-conflict cuda-visible-devices-hides-gpu default-context-tiered docker-snap-install driver-regression
driver-user-libs-missing env-var-invalid estimate-conservative gpu-init-failed-bios install-stale-mixed
jetson-device-permission jetson-unsupported-l4t jetson-wrong-cuda mig-enabled-unintended mig-single-instance-limit
model-too-large nouveau-holds-device num-parallel-too-high nvidia-module-blacklisted output-layer-too-large
power-cap-active runner-lib-missing selinux-denies-device snap-confinement thermal-throttle toolkit-no-cgroups
uvm-hmm-init-failure vgpu-profile-no-cuda vram-below-minimum vram-used-by-other-process
"""

ENTRIES = catalogue()
by_slug = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.rule.slug)


def examples(kind: str) -> list[object]:
    return [
        pytest.param(entry, text, id=f"{entry.rule.slug}-{number}")
        for entry in ENTRIES
        for number, text in enumerate(getattr(entry.rule, kind))
    ]


def test_every_cause_has_a_rule() -> None:
    assert set(CAUSES.split()) <= {entry.rule.slug for entry in ENTRIES}


def test_every_file_is_found_and_named_after_its_cause() -> None:
    files = {
        file.stem: part
        for part, package in PARTS.items()
        for file in Path(package.__path__[0]).glob("[a-z]*.py")
    }  # fmt: skip
    assert {entry.rule.slug.replace("-", "_"): entry.part for entry in ENTRIES} == files


def test_ids_and_causes_are_used_once() -> None:
    for names in (Counter(entry.rule.id for entry in ENTRIES), Counter(entry.rule.slug for entry in ENTRIES)):
        assert max(names.values()) == 1, names.most_common(3)


@by_slug
def test_the_manual_page_is_complete(entry: Entry) -> None:
    assert tuple(entry.manual.sections) == HEADINGS
    assert all(len(text) > 3 for text in entry.manual.sections.values())
    assert len(entry.manual.sections["What it means"]) > 30
    assert entry.manual.title
    safety = re.match(r"\w+", entry.manual.sections["Fix safety"])
    assert safety is not None
    assert safety[0] in SAFETIES
    assert re.fullmatch(rf"{PREFIX[entry.part]}-\d{{3}}", entry.rule.id)


@by_slug
def test_what_it_explains_exists(entry: Entry) -> None:
    assert set(entry.rule.explains) <= {other.rule.slug for other in ENTRIES} - {entry.rule.slug}


@by_slug
def test_it_has_examples_of_all_three_answers(entry: Entry) -> None:
    assert entry.rule.fires
    assert entry.rule.quiet
    assert entry.rule.unknown


@pytest.mark.parametrize(("entry", "text"), examples("fires"))
def test_it_fires_and_shows_the_line(entry: Entry, text: str) -> None:
    seen = evidence_of({"paste": text})
    assert entry.rule.answer(seen) == "fires"
    hit = entry.rule.check(seen)
    assert hit is not None
    assert hit.lines, "a finding without the line that shows it"
    assert all(line in seen.lines for line in hit.lines)
    assert hit.summary


@pytest.mark.parametrize(("entry", "text"), examples("fires"))
def test_its_example_is_diagnosed_as_this_cause_or_what_explains_it(entry: Entry, text: str) -> None:
    findings = diagnose(evidence_of({"paste": text})).findings
    explained_by = {other.rule.slug for other in ENTRIES if entry.rule.slug in other.rule.explains}
    assert findings
    assert {finding.cause for finding in findings} & ({entry.rule.slug} | explained_by)


@pytest.mark.parametrize(("entry", "text"), examples("quiet"))
def test_it_is_quiet(entry: Entry, text: str) -> None:
    assert entry.rule.answer(evidence_of({"paste": text})) == "quiet"


@pytest.mark.parametrize(("entry", "text"), examples("unknown"))
def test_it_does_not_take_silence_for_health(entry: Entry, text: str) -> None:
    assert entry.rule.answer(evidence_of({"paste": text})) == "unknown"


def test_a_rule_is_found_by_id_and_by_cause() -> None:
    assert entry_of("sw-001") is entry_of("driver-library-mismatch")
    with pytest.raises(OngpuError, match="did you mean driver-too-old"):
        entry_of("driver-to-old")
