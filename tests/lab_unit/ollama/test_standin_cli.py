"""The command line, held against recorded output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from standin_bench import Bench, Server
from standin_models import big, tiny
from standin_recorded import RECORDINGS

DOWN = sorted(path.name for path in (RECORDINGS / "cli").glob("0*.cli.txt") if "(nothing listens)" in path.read_text())


def _recorded(name: str) -> tuple[list[str], str, str, int]:
    """Words, standard output, standard error and exit status."""
    text = (RECORDINGS / "cli" / name).read_text()
    match = re.fullmatch(r"\$ (.*?)\n--- stdout\n(.*?)--- stderr\n(.*?)--- exit code (\d+)\n?", text, re.DOTALL)
    assert match, name
    words = match[1].split(" ollama ")[-1].removeprefix("ollama ").split()
    return words, match[2], match[3], int(match[4])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    place = Bench(tmp_path_factory.mktemp("cli"))
    place.gpus(error="cuInit failed: 100")
    place.install(tiny(), big())
    yield place
    place.close()


@pytest.fixture(scope="module")
def server(bench: Bench) -> Server:
    return bench.serve()


@pytest.mark.parametrize("name", DOWN)
def test_commands_without_a_server(bench: Bench, name: str) -> None:
    words, stdout, stderr, code = _recorded(name)
    done = bench.run(*words)
    assert (done.stdout, done.stderr, done.returncode) == (stdout, stderr, code)


def _columns(table: str) -> list[list[str]]:
    return [re.split(r" {2,}", line.strip()) for line in table.splitlines()]


def test_tables(bench: Bench, server: Server) -> None:
    _, empty, _, _ = _recorded("05-ps-nothing-loaded.cli.txt")
    assert bench.run("ps", server=server).stdout == empty
    server.post("/api/generate", {"model": "tiny", "stream": False})
    server.post("/api/generate", {"model": "big", "stream": False})
    _, two, _, _ = _recorded("22-ps-two-loaded.cli.txt")
    for ours, theirs in zip(_columns(bench.run("ps", server=server).stdout), _columns(two), strict=True):
        assert [*ours[:1], *ours[2:]] == [*theirs[:1], *theirs[2:]]  # all but the digest
    _, listed, _, _ = _recorded("09-list.cli.txt")
    ours_listed = _columns(bench.run("list", server=server).stdout)
    assert ours_listed[0] == _columns(listed)[0]
    assert sorted([row[0], row[2]] for row in ours_listed) == sorted([row[0], row[2]] for row in _columns(listed))


def test_show(bench: Bench, server: Server) -> None:
    _, shown, _, _ = _recorded("12-show.cli.txt")
    assert bench.run("show", "tiny", server=server).stdout == shown


def test_stop(bench: Bench, server: Server) -> None:
    server.post("/api/generate", {"model": "big", "stream": False, "keep_alive": -1})
    assert "Forever" in bench.run("ps", server=server).stdout
    for name in ("60-stop-big.cli.txt", "62-stop-unknown.cli.txt"):
        words, stdout, stderr, code = _recorded(name)
        done = bench.run(*words, server=server)
        assert (done.stdout, done.returncode) == (stdout, code)
        assert done.stderr.splitlines()[-1:][0].rpartition("h")[2] == stderr.splitlines()[-1:][0].rpartition("h")[2]


def test_run_answers_and_version_agrees(bench: Bench, server: Server) -> None:
    done = bench.run("run", "tiny", "hello", server=server)
    assert (done.returncode, len(done.stdout.split()) > 10) == (0, True)
    assert bench.run("--version", server=server).stdout == "ollama version is 0.33.0-rc2\n"
    other = bench.run("--version", server=server, ONGPU_LAB_OLLAMA_VERSION="0.24.0")
    assert other.stdout == "ollama version is 0.33.0-rc2\nWarning: client version is 0.24.0\n"


def test_remove(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.install(tiny())
    server = bench.serve()
    assert bench.run("rm", "tiny", server=server).stdout == "deleted 'tiny'\n"
    assert not [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    missing = bench.run("rm", "tiny", server=server)
    assert (missing.returncode, missing.stderr) == (1, "Error: model 'tiny' not found\n")
    bench.close()
