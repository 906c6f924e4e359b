from __future__ import annotations

import json
import platform

import click
import pytest
from click.testing import CliRunner, Result

from ongpu.cli.snapshot import command
from ongpu.errors import Exit
from ongpu.host import codec
from ongpu.host.reading import Known
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe.decode import script


def snapshot(*words: str) -> Result:
    return CliRunner().invoke(command, words, standalone_mode=False)


def test_the_script_is_printed_and_nothing_else() -> None:
    done = snapshot("--script")
    assert (done.return_value, done.output) == (Exit.OK, script())


def test_this_machine() -> None:
    done = snapshot("--local")
    assert done.return_value == Exit.OK
    assert done.output.count("\n") == 1
    body = json.loads(done.output)
    assert body["host"] == platform.node()
    read = codec.load(body)
    assert isinstance(read.system, Known)
    assert read.system.value.kernel == platform.release()


def test_a_machine_that_cannot_be_read_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ongpu.probe.local.snapshot_local", lambda: HostSnapshot.unreadable("no shell"))
    done = snapshot("--local")
    assert done.return_value == Exit.UNKNOWN
    assert "no shell" in done.output


@pytest.mark.parametrize("option", ["--local", "--script"])
def test_hosts_make_no_sense_with_local_or_script(option: str) -> None:
    done = snapshot(option, "gpu01")
    assert isinstance(done.exception, click.UsageError)
    assert "takes no hosts: 'gpu01'" in str(done.exception)
    assert done.output == ""
