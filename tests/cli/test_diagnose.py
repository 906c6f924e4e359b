from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from ongpu.cli.diagnose import command
from ongpu.cli.rules import command as rules_command
from ongpu.errors import Exit, OngpuError
from ongpu.host import codec
from ongpu.host.snapshot import HostSnapshot

MISMATCH = "Failed to initialize NVML: Driver/library version mismatch"
HEALTHY = "llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever"


def diagnose(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(command, words, input=stdin, standalone_mode=False)


def test_a_paste_on_standard_input() -> None:
    done = diagnose("--from", "-", stdin=MISMATCH)
    assert done.return_value == Exit.FINDINGS
    assert "SW-001 driver-library-mismatch" in done.output
    assert MISMATCH in done.output
    assert "fix (reboot)" in done.output


def test_a_healthy_paste_says_what_was_looked_at() -> None:
    done = diagnose("--from", "-", stdin=HEALTHY)
    assert done.return_value == Exit.OK
    assert "stdin  OK: nothing wrong in what was looked at: paste (1 line)" in done.output


def test_too_little_says_what_to_collect() -> None:
    done = diagnose("--from", "-", stdin="it is slow")
    assert done.return_value == Exit.UNKNOWN
    assert "journalctl -u ollama" in done.output


def test_a_case_a_snapshot_and_a_text_in_one_directory(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text(json.dumps({"evidence": {"nvidia_smi_error": MISMATCH}}))
    (tmp_path / "gpu07.json").write_text(json.dumps(codec.dump(HostSnapshot.unreadable("no shell"), "gpu07")))
    (tmp_path / "serve.log").write_text("cuInit err: 802")
    done = diagnose("--from", str(tmp_path), "--format", "json")
    hosts = {host["host"]: host for host in json.loads(done.output)["hosts"]}
    assert hosts["case"]["findings"][0]["cause"] == "driver-library-mismatch"
    assert hosts["gpu07"]["verdict"] == "unknown"
    assert hosts[tmp_path.name]["findings"][0]["cause"] == "fabric-manager-not-running"
    assert done.return_value == Exit.FINDINGS


def test_snapshots_one_per_line(tmp_path: Path) -> None:
    lines = [json.dumps(codec.dump(HostSnapshot.unreadable("no shell"), name)) for name in ("a", "b")]
    (tmp_path / "fleet.json").write_text("\n".join(lines))
    done = diagnose("--from", str(tmp_path / "fleet.json"))
    assert done.return_value == Exit.UNKNOWN
    assert "2 hosts: 2 unknown" in done.output


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.json", "{", "not JSON"),
        ("x.json", '{"evidence": {"log": 1}}', "object of texts"),
        ("x.json", '{"snapshot": {}}', "schema_version"),
        ("x.txt", "  \n", "nothing in it"),
    ],
)
def test_errors_are_one_sentence(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    done = diagnose("--from", str(tmp_path / name))
    assert isinstance(done.exception, OngpuError)
    assert says in str(done.exception)
    assert str(tmp_path) in str(done.exception)


def test_what_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "no.txt", tmp_path):
        done = diagnose("--from", str(path))
        assert isinstance(done.exception, OngpuError), path


def test_hosts_and_recordings_do_not_mix() -> None:
    assert isinstance(diagnose("--from", "-", "gpu01").exception, click.UsageError)


def test_the_catalogue_and_a_manual_page() -> None:
    listed = CliRunner().invoke(rules_command, [], standalone_mode=False)
    assert listed.return_value == Exit.OK
    assert "SW-003" in listed.output
    page = CliRunner().invoke(rules_command, ["SW-001"], standalone_mode=False)
    assert "How it comes about" in page.output
    assert "sudo systemctl reboot" in page.output
    assert isinstance(CliRunner().invoke(rules_command, ["SW-999"], standalone_mode=False).exception, OngpuError)
