from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ongpu_lab import tools
from ongpu_lab.errors import LabError


def test_missing_tools_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tools, "search_path", lambda: str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert tools.missing_tools().items() >= tools.PACKAGE_OF_TOOL.items()
    with pytest.raises(LabError, match=r"run `apt-get install .*systemd-container"):
        tools.require_machine()


def test_root_and_linux_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root"):
        tools.require_machine()
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(LabError, match="needs Linux"):
        tools.require_machine()
