"""A pasted wall of text, taken apart."""

from __future__ import annotations

import pytest

from ongpu.rules.diagnose import diagnose
from ongpu.rules.evidence import words
from ongpu.rules.literals import for_zeros
from ongpu.rules.recognise import _SIGNS, FIRST, LAST, evidence_of, lines_of

WALL = """\
\x1b[32mops@gpu01\x1b[0m:~$ docker compose up -d
services:
  ollama:
    image: ollama/ollama:latest
    environment:
      - OLLAMA_NUM_PARALLEL=2
      - CUDA_VISIBLE_DEVICES=0
ollama-1  | time=2026-01-15T10:00:00.000Z level=INFO source=types.go:42 msg="inference compute" id=cpu library=cpu
2026-01-15T10:00:01.123456789Z time=2026-01-15T10:00:01Z level=INFO source=sched.go:1 msg="x"
Jan 15 10:00:02 gpu01 kernel: NVRM: Xid (PCI:0000:65:00): 31, pid=1, name=ollama, Ch 00000008
[   12.345678] NVRM: loading NVIDIA UNIX x86_64 Kernel Module  550.54.15
$ nvidia-smi
| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15      CUDA Version: 12.4     |
llama3:latest   365c0bd3c000   32 GB   36%/64% CPU/GPU   4096   Forever
PARAMETER num_ctx 4096
nvidia_uvm           4911104  0
ii  libnvidia-compute-550:amd64   550.54.15-0ubuntu0.22.04.1  amd64
It worked yesterday.\r
"""


def test_every_piece_has_its_kind() -> None:
    kinds = {line.text.strip(): line.kind for line in lines_of(WALL)}
    assert kinds["ops@gpu01:~$ docker compose up -d"] == "container"
    assert kinds["- CUDA_VISIBLE_DEVICES=0"] == "env"
    assert kinds["PARAMETER num_ctx 4096"] == "call"
    assert kinds["nvidia_uvm           4911104  0"] == "system"
    assert kinds["$ nvidia-smi"] == "smi"
    assert kinds["It worked yesterday."] == "text"
    assert {line.kind for line in lines_of(WALL)} >= {
        "log",
        "kernel",
        "smi",
        "ps",
        "env",
        "call",
        "container",
        "package",
    }


def test_prefixes_of_loggers_and_containers_are_gone() -> None:
    texts = [line.text for line in lines_of(WALL)]
    assert 'time=2026-01-15T10:00:01Z level=INFO source=sched.go:1 msg="x"' in texts
    assert "NVRM: Xid (PCI:0000:65:00): 31, pid=1, name=ollama, Ch 00000008" in texts
    assert "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  550.54.15" in texts
    assert not any(text.startswith("ollama-1") or "\x1b" in text for text in texts)


@pytest.mark.parametrize("at", [30, 60, 90, 120])
def test_a_record_that_was_wrapped_is_one_again(at: int) -> None:
    record = (
        'level=ERROR source=sched.go:455 msg="error loading llama server" error="llama runner process has terminated: '
        'CUDA error: no kernel image is available for execution on the device"'
    )
    space = record.rindex(" ", 0, at)
    text = f"{record[:space]}\n    {record[space + 1 :]}\ntime=2026-01-15T10:00:00Z level=INFO msg=next"
    found = diagnose(evidence_of({"paste": text}))
    assert [finding.cause for finding in found.findings] == ["cuda-arch-not-in-build"]


def test_a_persons_words_prove_nothing_that_a_program_would_say() -> None:
    said = {"description": "I saw out of memory: CUDA error 2 somewhere, and cuInit err: 802 in a forum."}
    assert diagnose(evidence_of(said)).findings == ()


def test_lines_of_one_shape_are_kept_a_limited_number_of_times() -> None:
    text = "\n".join(f"[GIN] 10:00:{n % 60:02} | 200 | {n}ms" for n in range(5000))
    seen = evidence_of({"log": text})
    assert len(seen.lines) == FIRST + LAST
    assert "0ms" in seen.lines[0].text
    assert "4999ms" in seen.lines[-1].text
    assert any("left out" in said for said in seen.looked_at)


def test_spaces_in_patterns() -> None:
    assert words("a b").search("A\n   B")
    assert words(r"x *: *y").search("x:y")
    assert words(r"[a b]+c").search("a ac")
    assert words(r"(?<= )-c (\d+)").search("run -c 8192")
    assert words(r"= +\d").search("=    5")
    assert not words("a b").search("ab")


def test_no_sign_tells_one_digit_from_another() -> None:
    for kind, sign in _SIGNS:
        zeroed = for_zeros(sign)
        assert zeroed is not None, kind
        assert zeroed.pattern == sign.pattern, kind


def test_a_record_that_a_terminal_cut_in_the_middle_of_words_is_one_line_again() -> None:
    record = (
        "time=2025-03-04T08:00:00Z level=INFO source=server.go:168 msg=offload library=cuda layers.requested=-1 "
        'layers.model=29 layers.offload=29 memory.available="[7.6 GiB]" memory.required.full="4.4 GiB"'
    )
    cut = "\n".join(record[at : at + 72] for at in range(0, len(record), 72))
    assert [line.text for line in evidence_of({"paste": cut}).lines] == [record]
