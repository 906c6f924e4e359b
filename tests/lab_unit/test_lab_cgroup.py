from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ongpu_lab import cgroup


def hierarchy(path: Path, v2: bool) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "cgroup.procs").touch()
    if v2:
        (path / "cgroup.controllers").touch()
    return path


def test_each_layout_is_recognised(tmp_path: Path) -> None:
    unified = hierarchy(tmp_path / "unified-machine", v2=True)
    assert cgroup.roots(unified) == [unified]
    hybrid = tmp_path / "hybrid"
    assert cgroup.roots(hybrid) == []
    systemd = hierarchy(hybrid / "systemd", v2=False)
    assert cgroup.roots(hybrid) == [systemd]
    assert cgroup.is_v1(hybrid)
    second = hierarchy(hybrid / "unified", v2=True)
    assert cgroup.roots(hybrid) == [second, systemd], "v2 first"
    assert not cgroup.is_v1(hybrid)
    assert not cgroup.is_v1(unified)


def test_joined_runs_the_command_after_entering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = hierarchy(tmp_path / "a b", v2=True)
    monkeypatch.setattr(cgroup, "trees", lambda lab_id: [top / f"ongpu-lab-{lab_id}"])
    argv = cgroup.joined("x1", "lab1", ["echo", "it's", "$HOME"])
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "it's $HOME\n"
    assert (top / "ongpu-lab-x1" / "lab1" / "cgroup.procs").read_text() == "0\n"


def test_joined_does_not_run_the_command_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(cgroup, "trees", lambda lab_id: [tmp_path / "file" / lab_id])
    done = subprocess.run(cgroup.joined("x1", "lab1", ["echo", "ran"]), capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stdout == ""


def test_members_are_those_of_all_branches(tmp_path: Path) -> None:
    for name, pids in (("a", "1\n2\n"), ("a/b", ""), ("c", "0\n7\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").write_text(pids)
    assert sorted(cgroup.members(tmp_path)) == [0, 1, 2, 7]
    assert cgroup.members(tmp_path / "nowhere") == []


def test_labs_are_found_by_their_trees(tmp_path: Path) -> None:
    top = hierarchy(tmp_path, v2=True)
    for name in ("ongpu-lab-aa", "ongpu-lab-bb", "system.slice"):
        (top / name).mkdir()
    assert cgroup.labs(top) == {"aa", "bb"}
