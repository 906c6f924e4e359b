from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.host.snapshot import HostSnapshot
from ongpu.rules.catalogue import catalogue
from ongpu.rules.diagnose import Diagnosis, diagnose
from ongpu.rules.from_snapshot import evidence_from
from ongpu.rules.recognise import MOST, MOST_CHARACTERS, evidence_of
from tests.rules.fuzz import wall
from tests.rules.seen import blocks
from tests.rules.wordings import WORDINGS


def of(text: str) -> Diagnosis:
    return diagnose(evidence_of({"paste": text}))


def causes(found: Diagnosis) -> list[str]:
    return [finding.cause for finding in found.findings]


def test_symptoms_are_folded_under_the_root_cause() -> None:
    found = of(
        "modprobe: ERROR: could not insert 'nvidia': Key was rejected by service\n"
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"
        'level=INFO msg="inference compute" id=cpu library=cpu'
    )
    assert causes(found) == ["secure-boot-module-rejected"]
    assert found.findings[0].symptoms == ("the NVIDIA driver does not run",)
    assert found.findings[0].fix is not None
    assert found.findings[0].fix.safety == "manual"


def test_independent_causes_are_all_named() -> None:
    found = of(
        "NVRM: Xid (PCI:0000:05:00): 79, pid=1234, name=ollama, GPU has fallen off the bus.\n"
        "level=INFO msg=offload library=cuda layers.requested=0 layers.model=33 layers.offload=0\n"
        "no space left on device: /tmp/ollama7/runners"
    )
    assert set(causes(found)) == {"gpu-fallen-off-bus", "num-gpu-override", "tmp-full"}
    assert found.findings[-1].severity == "warning"


def test_a_possibility_is_said_only_when_nothing_better_is_known() -> None:
    assert causes(of("No devices were found")) == ["driver-regression"]
    assert "possible" in of("No devices were found").summary
    assert "driver-regression" not in causes(of("No devices were found\nnvmlInit_v2 err: 18"))


def test_a_symptom_without_a_cause_is_unknown_and_says_what_to_collect() -> None:
    found = of("llama3:latest 365c0bd3c000 5.4 GB 100% CPU Forever")
    assert found.verdict == "unknown"
    assert "journalctl -u ollama" in found.unknowns[-1].allow


@pytest.mark.parametrize("text", ["", "hello", "OLLAMA_HOST=0.0.0.0"])
def test_nothing_to_go_by_is_never_healthy(text: str) -> None:
    found = of(text)
    assert (found.verdict, found.findings) == ("unknown", ())
    assert found.unknowns[-1].allow


def test_a_host_that_cannot_be_read_yields_only_unknowns() -> None:
    seen = evidence_from(HostSnapshot.unreadable("ssh: timed out"))
    found = diagnose(seen)
    assert (found.verdict, found.findings) == ("unknown", ())
    assert len(found.unknowns) > 10
    assert {entry.rule.answer(seen) for entry in catalogue()} == {"unknown"}


def test_secrets_do_not_get_into_findings() -> None:
    found = of("docker run -e HF_TOKEN=hf_abcdef ollama/ollama\nno compatible GPUs were discovered")
    assert causes(found) == ["container-without-gpu"]
    assert "hf_abcdef" not in str(found)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=200),
            st.sampled_from([text for _, text in WORDINGS]),
            st.from_regex(r"[A-Za-z_=:/\[\]\"'{} 0-9%-]{0,300}"),
        ),
        max_size=12,
    ),
    st.integers(0, 5000),
)
def test_any_text_is_diagnosed_without_an_error(parts: list[str], cut: int) -> None:
    text = "\n".join(parts)
    for shown in (text, text[:cut], text[cut:]):
        found = of(shown)
        assert (found.verdict == "findings") == any(finding.severity != "info" for finding in found.findings)
        assert all(finding.evidence for finding in found.findings)


LONG = tuple(
    word * (200_000 // len(word))
    for word in (
        " ", "a", '"', "=", "msg=", "offloaded 1/", "map[", "CUDA error ", 'level=INFO msg="', "| ", "\n",
        "docker run ",
        "no space left on device ", "CUDA_VISIBLE_DEVICES=", "discovery ", "x" * 150 + "\n",
        "inference compute ", "a\n",
    )
)  # fmt: skip


@pytest.mark.parametrize("text", LONG, ids=range(len(LONG)))
def test_time_grows_with_the_text_and_no_faster(text: str) -> None:
    start = time.process_time()
    of(text)
    assert time.process_time() - start < 2


LINES = [line for block in blocks() for text in block.evidence.values() for line in text.split("\n") if line.strip()]
SIZE, SECONDS = 20_000, 0.6  # three times what a quiet machine needs


@pytest.mark.parametrize("seed", range(20))
def test_made_up_walls_of_text_end_soon_and_without_an_error(seed: int) -> None:
    text = wall(seed, LINES, SIZE)
    start = time.process_time()
    found = of(text)
    assert time.process_time() - start < SECONDS
    assert all(finding.evidence for finding in found.findings)


def test_much_text_is_cut_to_a_bounded_part_and_that_is_said() -> None:
    text = (
        "\n".join(wall(3, LINES, 20_000) for _ in range(2))
        + "\n"
        + "\n".join(f"{n:x}-{'y' * 3000}" for n in range(999))
    )
    seen = evidence_of({"paste": text})
    assert len(seen.lines) <= MOST
    assert sum(len(line.text) for line in seen.lines) <= MOST_CHARACTERS
    assert any("left out" in said for said in seen.looked_at)


@pytest.mark.slow
def test_a_hundred_thousand_lines_take_two_seconds() -> None:
    lines = [
        f'time=2026-01-15T10:{n % 60:02}:00.000Z level=INFO source=server.go:{n % 900} msg="request {n % 7919}" id={n}'
        if n % 3
        else f'[GIN] 2026/01/15 - 10:00:00 | 200 | {n}ms | 127.0.0.1 | POST "/api/generate"'
        for n in range(100_000)
    ]
    lines[60_000] = "ggml_cuda_init: failed to initialize CUDA: system not yet initialized"
    text = "\n".join(lines)
    start = time.process_time()
    assert causes(of(text)) == ["fabric-manager-not-running"]
    assert time.process_time() - start < 2


@pytest.mark.slow
def test_lines_that_are_all_different_take_no_longer() -> None:
    names = [chr(97 + n % 26) + chr(97 + n // 26 % 26) + chr(97 + n // 676 % 26) for n in range(17_576)]
    text = "\n".join(f'level=INFO source={names[n % 17_576]}.go msg="{names[n // 7]} {n}"' for n in range(100_000))
    start = time.process_time()
    assert of(f"{text}\ncuInit err: 802").findings[0].cause == "fabric-manager-not-running"
    assert time.process_time() - start < 4


def test_what_only_a_person_says_is_never_proven() -> None:
    quoted = 'nvidia-smi said "Driver/library version mismatch".'
    working = "phi4:14b    ac896e5b8b34    11 GB    100% GPU    4096    4 minutes from now"
    assert [one.cause for one in diagnose(evidence_of({"description": quoted})).findings] == ["driver-library-mismatch"]
    assert diagnose(evidence_of({"description": quoted, "ollama_ps": working})).verdict == "ok"
