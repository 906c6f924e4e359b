"""A long step says how far it is, and a short one is not asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest

from ongpu.engine import progress
from ongpu.engine.remote import Answer


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(progress, "INTERVAL", 0.01)
    return []


def told(said: list[str], file: str = "/run/x") -> Any:
    return progress.told(cast("Any", SimpleNamespace(log=said.append)), file)


def test_each_new_line_is_logged_once(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    answers = iter(["", "a: 1 of 9 MiB\n", "a: 1 of 9 MiB\n", "a: 5 of 9 MiB\nsecond line\n", "a\x1b[2J"])
    monkeypatch.setattr(progress, "run_script", lambda *_: Answer(next(answers, "")))
    with told(said):
        gevent.sleep(0.2)
    assert said == ["a: 1 of 9 MiB", "a: 5 of 9 MiB", "a[2J"]


def test_a_step_without_a_file_or_that_ends_at_once_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(progress, "run_script", lambda *_: asked.append(1))
    with told(said, ""):
        gevent.sleep(0.05)
    with told(said):
        pass
    gevent.sleep(0.03)
    assert asked == []
