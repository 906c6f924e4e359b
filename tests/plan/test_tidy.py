"""Of ongpu's releases on a host, the one that runs and the way back stay; older ones go once the new one has proven."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ongpu.plan import shell
from ongpu.plan.types import Interrupts, Limits
from tests.plan.bench import Bench, Said
from tests.plan.builders import configured_host, converge, planned, spec
from tests.plan.world import World

OLDEST, OLD, NEW = "0.24.0", "0.31.2", "0.32.15"


def _upgraded(*releases: str) -> World:
    host = configured_host(spec(ollama={"release": releases[0]}))
    for release in releases[1:]:
        converge(host, spec(ollama={"release": release}))
    return host


def test_the_one_in_use_and_the_one_before_it_stay() -> None:
    host = _upgraded(OLDEST, OLD)
    assert host.kept == {OLDEST, OLD}
    shown = planned(host, spec(ollama={"release": NEW}))
    (change,) = shown.of("tidy").changes
    assert change.summary == f"remove ollama {OLDEST} ({OLD} stays, for `ongpu undo`)"
    assert change.interrupts is Interrupts.NONE
    assert [part.resource for part in shown.changes][-2:] == ["restart", "tidy"]
    converge(host, spec(ollama={"release": NEW}))
    assert host.kept == {OLD, NEW}
    assert planned(host, spec(ollama={"release": NEW})).empty


def test_to_and_fro_removes_nothing() -> None:
    host = _upgraded(OLD, NEW, OLD, NEW)
    assert host.kept == {OLD, NEW}


def test_nothing_goes_while_the_restart_is_refused() -> None:
    host = _upgraded(OLDEST, OLD)
    shown = planned(host, spec(ollama={"release": NEW}), Limits(allow_restart=False)).of("tidy")
    assert not shown.changes
    assert shown.deferred[0].waits_for == "restart"


def test_where_nobody_knows_the_way_back_all_stay() -> None:
    host = _upgraded(OLDEST, OLD)
    host.kept |= {"0.30.0"}
    host.previous = ""
    assert planned(host, spec(ollama={"release": OLD})).empty


@pytest.fixture
def trees(bench: Bench) -> Bench:
    for version in (OLDEST, OLD, NEW):
        (bench.place / "releases" / version / "bin").mkdir(parents=True)
    return bench


def _tidy(bench: Bench, *old: str) -> Said:
    releases = f"{bench.place}/releases"
    return bench.run(shell.run("remove", "ollama-tidy", OLD=" ".join(old), RELEASES=releases))


def _there(bench: Bench) -> list[str]:
    return sorted(os.listdir(bench.place / "releases"))


def test_old_trees_are_removed_and_one_that_is_gone_is_no_matter(trees: Bench) -> None:
    assert _tidy(trees, OLDEST, "0.1.0", OLD) == Said(0, "")
    assert _there(trees) == [NEW]


def test_one_that_still_runs_is_left_alone(trees: Bench) -> None:
    program = trees.place / "releases" / OLD / "bin" / "ollama"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    with subprocess.Popen([program, "60"]) as running:
        try:
            said = _tidy(trees, OLD)
            assert (said.code, said.reason) == (
                1, f"ollama {OLD} still runs (process {running.pid}): it was left alone",
            )  # fmt: skip
        finally:
            running.kill()
    assert OLD in _there(trees)
    assert _tidy(trees, OLD) == Said(0, "")


def _switch(bench: Bench, version: str) -> Said:
    (bench.place / "releases" / version / "bin" / "ollama").touch(0o755)
    place = bench.place
    return bench.run(
        shell.run(
            "switch", "ollama-current", "ollama-switch", VERSION=version, RELEASES=f"{place}/releases",
            CURRENT=f"{place}/releases/current", PREVIOUS=f"{place}/releases/previous", BINARY=f"{place}/bin/ollama",
            BACKUPS=f"{place}/backups", REPLACED=f"{place}/last-good/binary",
        )
    )  # fmt: skip


def test_a_switch_remembers_what_was_in_use_before(trees: Bench) -> None:
    links = []
    for version in (OLD, NEW, NEW, OLD):
        assert _switch(trees, version) == Said(0, "")
        links.append(
            tuple(
                os.readlink(link) if (link := trees.place / "releases" / name).is_symlink() else ""
                for name in ("current", "previous")
            )
        )
    assert links == [(OLD, ""), (NEW, OLD), (NEW, OLD), (OLD, NEW)]
