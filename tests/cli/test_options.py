"""What every fleet verb does at its end."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from ongpu.cli._options import finish, one_shard, options, parse_outs
from ongpu.errors import OngpuError
from ongpu.host.result import FleetResult, HostResult

RESULT = FleetResult(
    command="plan", started_at="", finished_at="", hosts=(HostResult(host="a", verdict="unknown", summary="down"),)
)


def test_the_report_is_printed_once_and_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    outs = parse_outs([f"json={tmp_path / 'r.json'}", f"json={gone / 'r.json'}"])
    gone.rmdir()
    with pytest.raises(OngpuError, match=r"cannot write .*gone"):
        finish(RESULT, "table", outs)
    assert capsys.readouterr().out.count("1 host: 1 unknown") == 1
    assert (tmp_path / "r.json").exists()


def test_places_are_checked_before_anything_is_done(tmp_path: Path) -> None:
    for out, why in ((f"json={tmp_path}/no/r", "does not exist"), (f"json={tmp_path}", "cannot be written to")):
        with pytest.raises(OngpuError, match=why):
            parse_outs([out])
    assert finish(RESULT, "table", []) == 3


@pytest.mark.parametrize("value", ["0/2", "3/2", "2", "/", "a/b", "1/0", "-1/2"])
def test_a_shard_is_a_part_of_a_whole(value: str) -> None:
    with pytest.raises(click.BadParameter, match="is not I/N"):
        one_shard(None, None, value)  # type: ignore[arg-type]


def test_a_shard_goes_into_the_options() -> None:
    assert options("inventory.py", (), (), 50, 240, shard="2/8").shard == (2, 8)
