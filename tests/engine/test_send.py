"""A file of the controller reaches the host whole, also over many interruptions."""

from __future__ import annotations

import fcntl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ongpu.engine import send
from ongpu.engine.remote import Answer
from ongpu.plan.types import Send

CONTENT = bytes(range(256)) * 400


class Wire:
    """Runs each script with sh; what is in `cuts` happens to that script instead."""

    def __init__(self) -> None:
        self.scripts: list[str] = []
        self.cuts: dict[int, int] = {}  # which script -> after how many of its characters the wire breaks

    def run(self, host: Any, script: str, seconds: int) -> Answer:
        self.scripts.append(script)
        cut = self.cuts.get(len(self.scripts))
        done = subprocess.run(["sh", "-s"], input=script[:cut], capture_output=True, text=True, timeout=30)
        if cut is not None:
            return Answer("", "the connection was closed by the host")
        return Answer(done.stdout, "" if done.returncode == 0 else "exit")


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Wire:
    made = Wire()
    monkeypatch.setattr(send, "run_script", made.run)
    monkeypatch.setattr(send, "PIECE", 10_000)
    monkeypatch.setattr(send, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(send, "LOCK", str(tmp_path / "state" / "lock"))
    return made


def sent(tmp_path: Path) -> tuple[Path, str]:
    (tmp_path / "source").write_bytes(CONTENT)
    target = tmp_path / "spool dir" / "it's.zst"
    trouble = send.send(SimpleNamespace(), Send(source=str(tmp_path / "source"), path=str(target)))  # type: ignore[arg-type]
    return target, trouble.sentence if trouble else ""


def test_it_arrives_as_it_is(wire: Wire, tmp_path: Path) -> None:
    target, trouble = sent(tmp_path)
    assert trouble == ""
    assert target.read_bytes() == CONTENT
    assert len(wire.scripts) == 1 + -(-len(CONTENT) // 10_000)
    assert sent(tmp_path)[1] == ""
    assert "base64" in wire.scripts[-1]
    assert len(wire.scripts) == 2 + -(-len(CONTENT) // 10_000), "what is there is not sent again"


@pytest.mark.parametrize("at", [200, 5000, 13_000])
def test_cut_off_it_goes_on_where_it_was(wire: Wire, tmp_path: Path, at: int) -> None:
    wire.cuts = {4: at}
    target, trouble = sent(tmp_path)
    assert trouble.endswith("to the host: the connection was closed by the host")
    assert 0 < target.stat().st_size < len(CONTENT)
    before = len(wire.scripts)
    assert sent(tmp_path)[1] == ""
    assert target.read_bytes() == CONTENT
    assert len(wire.scripts) - before == 10, "a look, and the nine pieces that were missing"


def test_a_longer_file_of_that_name_is_replaced(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "spool dir").mkdir()
    (tmp_path / "spool dir" / "it's.zst").write_bytes(b"x" * 10**6)
    target, trouble = sent(tmp_path)
    assert (trouble, target.read_bytes() == CONTENT) == ("", True)


def test_a_missing_file_is_one_sentence(wire: Wire, tmp_path: Path) -> None:
    trouble = send.send(SimpleNamespace(), Send(source=str(tmp_path / "none"), path="/x"))  # type: ignore[arg-type]
    assert trouble is not None
    assert trouble.sentence == f"cannot read {tmp_path}/none on this machine: No such file or directory"
    assert wire.scripts == []


def test_while_the_host_is_being_changed_nothing_is_sent(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "LOCK_SECONDS", 0)
    (tmp_path / "state").mkdir()
    with (tmp_path / "state" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        target, trouble = sent(tmp_path)
        assert trouble == "another ongpu run is changing this host right now; run again when it is done"
        assert not target.exists()
    assert sent(tmp_path)[1] == ""


def test_two_controllers_complete_each_others_work(wire: Wire, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        troubles = [done.result()[1] for done in [pool.submit(sent, tmp_path) for _ in range(4)]]
    assert troubles == [""] * 4
    assert (tmp_path / "spool dir" / "it's.zst").read_bytes() == CONTENT
