"""CUDA's initialisation after a change of the driver: what it says, for each answer; it waits for a fabric manager."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ongpu.host.cuda import HELPER, MEANINGS, meaning
from ongpu.plan import shell
from tests.probe.shells import tool

MEANING_LINES = "\n".join(f"{code} {meaning(code)}" for code in MEANINGS)


def run(tools: Path, python: str) -> tuple[int, str]:
    tool(tools, "systemctl", ":")
    tool(tools, "sleep", ":")
    tool(tools, "date", 'n=$(cat "$0.n" 2>/dev/null || echo 0); n=$((n + 20)); echo $n >"$0.n"; echo $n')
    if python:
        tool(tools, "python3", python)
    script = shell.script("cuda-init", UNIT="ollama.service", HELPER=HELPER, MEANINGS=MEANING_LINES)
    path = f"{tools}:/usr/bin:/bin"
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, env={"PATH": path}, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def test_it_starts(tmp_path: Path) -> None:
    assert run(tmp_path / "tools", "echo cuda 0 2 /usr/lib/libcuda.so.1") == (0, "")


@pytest.mark.parametrize(
    ("python", "words"),
    [
        ("echo cuda 999 0 /x", "CUDA error 999 (UNKNOWN): nvidia-uvm"),
        ("echo cuda 712 0 /x", "CUDA error 712"),
        ("echo load libcuda.so.1: cannot open shared object file", "cannot open shared object file"),
        ("echo Segmentation fault >&2; exit 139", "Segmentation fault"),
    ],
)
def test_it_does_not(tmp_path: Path, python: str, words: str) -> None:
    code, said = run(tmp_path / "tools", python)
    assert code == 1
    assert words in said
    assert "for root" in said


def test_it_waits_for_the_fabric_but_not_for_ever(tmp_path: Path) -> None:
    count = tmp_path / "asked"
    later = f'echo x >>{count}; [ "$(wc -l <{count})" -gt 2 ] && echo cuda 0 8 /x || echo cuda 802 0 /x'
    assert run(tmp_path / "tools", later) == (0, "")
    code, said = run(tmp_path / "other", "echo cuda 802 0 /x")
    assert (code, "fabric manager" in said) == (1, True)
