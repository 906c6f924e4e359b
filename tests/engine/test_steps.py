"""The steps' script, run for real by sh against a scratch directory, and its answer taken apart again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu.engine import steps
from ongpu.host import run_record
from ongpu.plan.types import Put, Remove, Run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Runs a script as the engine does, with the state directory under tmp_path and the root check passed."""
    for name, place in (("STATE_DIR", "state"), ("BACKUPS", "state/backups"), ("LOCK", "state/lock")):
        monkeypatch.setattr(steps, name, str(tmp_path / place))
    monkeypatch.setattr(steps, "_LOCK", steps._LOCK.replace("/var/lib/ongpu", str(tmp_path / "state")))
    record = steps._RECORD.replace("/var/lib/ongpu", str(tmp_path / "state"))
    monkeypatch.setattr(steps, "_RECORD", record)
    monkeypatch.setattr(steps, "_HEAD", steps._HEAD.replace('[ "$(id -u)" = 0 ] ||', "true ||"))

    def go(*todo: Run | Put | Remove, run: str = "") -> steps.Failed | None:
        script = steps.build(todo, run)
        done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, timeout=30)
        assert done.stderr == ""
        return steps.outcome(todo, done.stdout.rstrip("\n"), "")  # as pyinfra's connectors hand it over

    return go


def owner() -> dict[str, str]:
    import grp
    import os
    import pwd

    return {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}


def test_a_file_is_written_as_it_is_and_its_previous_version_kept(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "etc dir" / "a'b.conf"
    tricky = "first $HOME `id` \\ ' \" %h\nONGPU_END\n\n  last\n"
    assert run(Put(path=str(file), content="old\n", **owner())) is None
    assert run(Put(path=str(file), content=tricky, mode="0600", **owner())) is None
    assert file.read_text() == tricky
    assert file.stat().st_mode & 0o777 == 0o600
    kept = list((tmp_path / "state" / "backups").rglob("a'b.conf.*"))
    assert [k.read_text() for k in kept] == ["old\n"]
    assert run(Remove(path=str(file))) is None
    assert not file.exists()


def test_stops_at_the_first_failure_and_says_what_and_why(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    never = tmp_path / "never"
    failed = run(
        Run(command="true", what="begin"),
        Run(command="echo one; echo 'disk is full' >&2; exit 28", what="unpack ollama 0.32.15"),
        Put(path=str(never), content="x", **owner()),
    )
    assert (failed.index, failed.code) == (1, 28)
    assert str(failed) == "could not unpack ollama 0.32.15: disk is full (exit 28)"
    assert not never.exists()


def test_a_script_on_standard_input_is_not_on_a_command_line(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"
    secret = "p'a\"s$s`w`"
    assert run(Run(command=f"cat > {out}", what="keep a secret", stdin=secret)) is None
    assert out.read_text().rstrip("\n") == secret


def test_a_step_that_hangs_is_bounded(run) -> None:  # type: ignore[no-untyped-def]
    failed = run(Run(command="exec sleep 20", what="wait for nothing", seconds=1))
    assert failed.code == 124


def test_a_held_lock_refuses_in_one_sentence(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "state").mkdir()
    lock = tmp_path / "state" / "lock"
    holder = subprocess.Popen(["flock", str(lock), "sh", "-c", "echo held; cat"], stdin=-1, stdout=-1, text=True)
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        failed = run(Run(command="true", what="nothing"))
        assert failed.locked
        assert "another ongpu run" in str(failed)
    finally:
        holder.communicate()


def test_not_root_is_said(tmp_path: Path) -> None:
    identity = tmp_path / "id"
    identity.write_text("#!/bin/sh\necho 1000\n")
    identity.chmod(0o755)
    todo = [Run(command="true", what="x")]
    done = subprocess.run(
        ["sh", "-s"], input=steps.build(todo), capture_output=True, text=True, timeout=30,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip
    failed = steps.outcome(todo, done.stdout.rstrip("\n"), "")
    assert failed
    assert "sudo" in str(failed)


def test_a_state_directory_that_cannot_be_made_is_said_with_its_reason(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "state").write_text("a file")
    failed = run(Run(command="true", what="x"))
    assert "cannot write" in str(failed)
    assert "File exists" in str(failed)


def test_a_secret_is_never_readable_by_others(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Neither its new name nor, when the owner cannot be set, its place."""
    file = tmp_path / "secret.conf"
    failed = run(Put(path=str(file), content="x", mode="0600", owner="nobody-at-all", group="nogroup"))
    assert failed is not None
    assert not file.exists()
    assert (tmp_path / "secret.conf.ongpu-new").stat().st_mode & 0o077 == 0


@given(st.text())
def test_any_answer_is_a_failure_or_a_success_never_an_exception(text: str) -> None:
    todo = [Run(command="true", what="do it")]
    assert steps.outcome(todo, text, "") is not None  # no text without our nonce can claim success


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.99])
def test_a_script_cut_off_on_its_way_does_nothing(run, tmp_path: Path, cut: float) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "file"
    script = steps.build([Put(path=str(file), content="x\n", **owner())])
    subprocess.run(["sh", "-s"], input=script[: int(len(script) * cut)], capture_output=True, text=True, timeout=30)
    assert not file.exists()


RUN = "20261124T100000Z-0123456789ab"


def test_what_was_there_before_a_run_is_kept_once_and_its_steps_are_noted(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "x"
    assert run(Put(path=str(file), content="1\n", **owner()), run=RUN) is None
    record = tmp_path / "state" / "runs" / RUN
    before = (record / "manifest").read_text()
    state = run_record.parse(before.split("\n"))
    assert state is not None
    assert set(state.files) == set(run_record.FILES)
    assert run(Run(command="exit 3", what="it's $HOME"), run=RUN) is not None
    assert (record / "manifest").read_text() == before
    assert [line.split(" ", 1)[1] for line in (record / "steps").read_text().splitlines()] == [
        f"0 write {file}",
        "3 it's $HOME",
    ]
    assert (record.parent.stat().st_mode & 0o777) == 0o700, "it may hold secrets"


def test_old_records_go(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    names = [f"20261124T1000{number:02d}Z-0123456789ab" for number in range(run_record.KEPT + 3)]
    for name in names:
        (tmp_path / "state" / "runs" / name).mkdir(parents=True)
    (tmp_path / "state" / "runs" / names[-1]).rmdir()
    assert run(Run(command="true", what="x"), run=names[-1]) is None
    assert sorted(path.name for path in (tmp_path / "state" / "runs").iterdir()) == names[3:]


def test_nothing_is_changed_where_nothing_can_be_kept(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "runs").touch()
    failed = run(Run(command=f"touch {tmp_path}/changed", what="x"), run=RUN)
    assert str(failed).startswith("disk full or not writable: the present state cannot be kept in")
    assert not (tmp_path / "changed").exists()
