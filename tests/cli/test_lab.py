from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def ongpu(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", "from ongpu.cli.main import main; main()", "lab", *words]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("exec", "lab1", "true"),
        ("reboot", "lab1"),
        ("reset", "lab1"),
        ("fault", "server-down"),
        ("fault", "--clear"),
        ("logs", "lab1"),
    ],
)
def test_without_a_lab_one_sentence_says_how_to_get_one(words: tuple[str, ...], tmp_path: Path) -> None:
    done = ongpu(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"ongpu: There is no lab in {tmp_path}/.lab: `ongpu lab up` makes one.\n"
    assert list(tmp_path.iterdir()) == []


def test_down_without_a_lab_is_fine(tmp_path: Path) -> None:
    done = ongpu("down", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"there is no lab in {tmp_path}/.lab\n"


def test_faults_are_listed_without_a_lab(tmp_path: Path) -> None:
    done = ongpu("fault", "--list", cwd=tmp_path)
    assert done.returncode == 0
    assert any(line.startswith("disk-full ") for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("up", "--layout", "one", "--hosts", "2"), "give --layout or --hosts, not both"),
        (("up", "--layout", "big"), "There is no lab layout `big`"),
        (("--dir", "/run/x", "status"), "A lab cannot be in /run/x"),
        (("fault", "a", "b", "c"), "give at most a host and a fault"),
    ],
)
def test_usage_errors_are_one_sentence(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    done = ongpu(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
