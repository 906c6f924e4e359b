"""Reading a runner's output while the journal, or whatever takes the log, is slow."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from standin_bench import PATIENCE, until
from standin_models import tiny

from ongpu_lab.ollama.standin import gguf, golog, names, runner
from ongpu_lab.ollama.standin.launch import Options, Plan


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    path = tmp_path / "blob"
    path.write_bytes(tiny().blob)
    name = names.parse("tiny")
    assert name
    return Plan(name, path, gguf.read(path), Options(4096))


def test_numbers_are_taken_when_the_whole_output_is_read(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers /health has said all of its load, but the log may hold it up."""
    blocked, resume = threading.Event(), threading.Event()

    def slow(data: bytes) -> None:
        blocked.set()
        assert resume.wait(PATIENCE)

    monkeypatch.setattr(golog, "raw", slow)
    lines = ["echo 'load_tensors: offloaded 7/7 layers to GPU'", "read go"]
    lines += ["echo 'load_tensors: CUDA0 model buffer size = 2.00 MiB'", "read end"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(["sh", "-c", "; ".join(lines)], **pipes) as process:
        loaded = runner.Runner(plan, process, 0)
        runner.relay(loaded)
        assert blocked.wait(PATIENCE)
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
        until(lambda: not loaded.caught_up(), "the second line waiting behind the slow log")
        assert loaded.log.sizes(99) == (99, 99)
        resume.set()
        until(loaded.caught_up, "the second line being read")
        assert loaded.log.sizes(99) == (2 << 20, 2 << 20)
        process.stdin.close()
        assert loaded.relay
        loaded.relay.join(PATIENCE)


def test_last_words_without_a_line_end_are_read(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golog, "raw", lambda data: None)
    with subprocess.Popen(["printf", "error: no room"], stdout=subprocess.PIPE) as process:
        dead = runner.Runner(plan, process, 0)
        runner.relay(dead)
        assert dead.relay
        dead.relay.join(PATIENCE)
        assert dead.log.errors == ["error: no room"]
        assert dead.caught_up()
