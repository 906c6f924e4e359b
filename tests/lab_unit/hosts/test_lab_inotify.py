from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from ongpu_lab.hosts import inotify

inotify_in_use = inotify._in_use


@pytest.fixture
def sysctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(inotify, "SYSCTL", tmp_path / "max_user_instances")
    monkeypatch.setattr(inotify, "NOTE", tmp_path / "note.json")
    monkeypatch.setattr(inotify, "_hosts_running", lambda: 0)
    monkeypatch.setattr(inotify, "_in_use", lambda: 0)
    (tmp_path / "max_user_instances").write_text("128\n")
    return tmp_path / "max_user_instances"


def test_a_small_lab_changes_nothing(sysctl: Path) -> None:
    said: list[str] = []
    inotify.raise_for(3, said.append)
    inotify.put_back(said.append)
    assert sysctl.read_text() == "128\n"
    assert said == []


def test_what_is_raised_is_said_and_put_back(sysctl: Path) -> None:
    said: list[str] = []
    inotify.raise_for(20, said.append)
    assert int(sysctl.read_text()) == inotify.needed(20)
    inotify.raise_for(50, said.append)
    inotify.put_back(said.append)
    assert sysctl.read_text() == "128", "the value of before both"
    assert [text.split()[0] for text in said] == ["raised", "raised", "put"]


def test_what_others_use_counts(sysctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = ctypes.CDLL(None).inotify_init()
    assert instance >= 0
    assert inotify_in_use() >= 1
    os.close(instance)
    monkeypatch.setattr(inotify, "_in_use", lambda: 100)
    inotify.raise_for(3, lambda _: None)
    assert int(sysctl.read_text()) == inotify.needed(3, 0, 100) > 128


def test_a_lab_that_still_runs_keeps_it(sysctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inotify.raise_for(20, lambda _: None)
    monkeypatch.setattr(inotify, "_hosts_running", lambda: 3)
    inotify.put_back(lambda _: None)
    assert int(sysctl.read_text()) == inotify.needed(20)


def test_what_somebody_else_has_set_since_stays(sysctl: Path) -> None:
    inotify.raise_for(20, lambda _: None)
    sysctl.write_text("4096")
    inotify.put_back(lambda _: None)
    assert sysctl.read_text() == "4096"
    assert not inotify.NOTE.exists()


def test_another_boots_note_means_nothing(sysctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inotify.raise_for(20, lambda _: None)
    monkeypatch.setattr(inotify, "boot_id", lambda: "another boot")
    inotify.put_back(lambda _: None)
    assert int(sysctl.read_text()) == inotify.needed(20)
