"""The journal section: its filter loses nothing that the parser reads, and windows join without doubling a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ongpu.host.ollama_log import GAP, discoveries, loads, server_config
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.probe.output import Output, Part
from ongpu.probe.sections.journal import FIRST, SECTION, WINDOW
from tests.probe.shells import RECORDINGS, SHELLS, process, section, tool

ID = "ea69c0ca6bbf49b3ab4c398de19e9b9d"
UNIT = f"LoadState=loaded\nInvocationID={ID}\nStandardError=inherit\nStandardOutput=journal\nMainPID=725"


def systemctl(tools: Path, shown: str = UNIT) -> None:
    tool(tools, "systemctl", f"printf '%s\\n' '{shown}'")


def journalctl(tools: Path, lines: list[bytes]) -> None:
    """A journal of one line per tenth of a second, as `journalctl -o short-unix` prints it; takes --since and -n."""
    data = tools.parent / "journal"
    data.write_bytes(
        b"".join(b"%.6f h1 ollama[725]: %s\n" % (1700000000 + n / 10, line) for n, line in enumerate(lines))
    )
    tool(
        tools,
        "journalctl",
        f"""since=0; until=9999999999; last=
while [ $# -gt 0 ]; do
  case $1 in --since) since=${{2#@}}; shift ;; --until) until=${{2#@}}; shift ;; -n) last=$2; shift ;; esac
  shift
done
awk -v since="$since" -v until="$until" '$1 >= since && $1 <= until' {data} |
  {{ if [ "$last" ]; then tail -n "$last"; else cat; fi; }}""",
    )


@pytest.mark.parametrize("shell", SHELLS[:1])
@pytest.mark.parametrize("name", sorted(path.parent.name for path in (RECORDINGS / "ollama").glob("*/serve.log")))
def test_the_filter_keeps_what_the_parser_reads(shell: tuple[str, ...], name: str, tmp_path: Path) -> None:
    raw = (RECORDINGS / "ollama" / name / "serve.log").read_bytes().split(b"\n")
    tools = tmp_path / "tools"
    systemctl(tools)
    tool(tools, "id", "echo 0")
    journalctl(tools, raw)
    found = SECTION.parse(section(shell, SECTION, tools))
    assert isinstance(found, Known)
    assert not found.value.truncated
    whole = [line.decode("ascii", "replace").replace("\ufffd", "?") for line in raw]
    assert loads(found.value.lines) == loads(whole)
    assert discoveries(found.value.lines) == discoveries(whole)
    assert server_config(found.value.lines) == server_config(whole)
    assert not any(word in line for line in found.value.lines for word in ("[GIN", "You are a helpful", "print_timing"))
    assert len(found.value.lines) < len(raw) / 2 or len(raw) < 80


@pytest.mark.parametrize("shell", SHELLS)
def test_a_journal_of_a_server_in_use(shell: tuple[str, ...], tmp_path: Path) -> None:
    """Two loads far apart among many lines of requests: both are found, and nothing is read twice."""
    log = (RECORDINGS / "ollama" / "vk-baseline" / "serve.log").read_bytes().split(b"\n")
    begin = next(n for n, line in enumerate(log) if b"using llama-server for model" in line)
    load, end = log[begin:], b"srv  llama_server: model loaded"
    load = load[: load.index(end) + 1]
    request = [b"slot print_timing: id  0 | task 0 |       total time =     289.84 ms /     6 tokens"]
    busy = request * (FIRST + 2000)
    second = [line.replace(b"46769", b"47000") for line in load]
    lines = log[:begin] + load + busy + second + busy + [b'time=x level=WARN source=x.go:1 msg="at the end"']
    tools, proc = tmp_path / "tools", tmp_path / "proc"
    systemctl(tools)
    tool(tools, "id", "echo 0")
    journalctl(tools, lines)
    process(proc, 725, 1, ["/usr/local/bin/ollama", "serve"], start=0)
    for pid, at in ((808, begin), (909, begin + len(load) + len(busy))):
        process(proc, pid, 725, ["/usr/local/lib/ollama/llama-server", "--model", "/m"], start=at * 50)
    output = section(shell, SECTION, tools, proc)
    assert {name for name, _ in output.startswith("load:")} == {"808", "909"}
    found = SECTION.parse(output)
    assert isinstance(found, Known)
    journal = found.value
    assert journal.truncated
    assert [one.port for one in loads(journal.lines)] == [46769, 47000]
    assert all(one.complete and one.offloaded == ((7, 7),) and len(one.buffers) == 6 for one in loads(journal.lines))
    assert len(discoveries(journal.lines)) == 1
    assert "at the end" in journal.lines[-1]
    assert GAP in journal.lines


def journal(first: str = "", unit: str = UNIT, access: str = "0", **more: str) -> Known | Absent | Unreadable:  # type: ignore[type-arg]
    parts = {"unit": Part(0, unit), "access": Part(0, access), "first": Part(0, first)}
    parts |= {name.replace("_", ":"): Part(0, text) for name, text in more.items()}
    return SECTION.parse(Output("journal", parts, True))


def lines(first: str, **more: str) -> tuple[str, ...]:
    found = journal(first, **more)
    assert isinstance(found, Known)
    assert found.value.truncated == (GAP in found.value.lines)
    return tuple(found.value.lines)


@pytest.mark.parametrize("shell", SHELLS[:1])
@pytest.mark.parametrize(("restarts", "seen"), [("3", True), ("0", False)])
def test_a_server_that_ends_again_and_again(shell: tuple[str, ...], tmp_path: Path, restarts: str, seen: bool) -> None:
    """Between two errors there is a start that has said nothing yet."""
    tools = tmp_path / "tools"
    systemctl(tools, f"{UNIT}\nNRestarts={restarts}")
    tool(tools, "id", "echo 0")
    ended = "Error: open /usr/share/ollama/.ollama/id_ed25519: permission denied"
    tool(
        tools,
        "journalctl",
        f"""case " $* " in *" -u "*) echo "1700000000.100000 h1 ollama[724]: {ended}" ;; esac
echo "1700000003.200000 h1 systemd[1]: Started ollama.service - Ollama." """,
    )
    found = SECTION.parse(section(shell, SECTION, tools))
    assert isinstance(found, Known)
    assert (ended in found.value.lines) is seen
    assert "Started ollama.service - Ollama." in found.value.lines


def test_windows_that_overlap_are_joined_without_doubling_lines() -> None:
    assert lines("1.5 a\n2.0 b\n2.0 b\n@cut", load_7="2.0 b\n2.0 b\n2.0 c\n3.0 d", last="3.0 d\n4.0 e") == (
        *("a", "b", "b", "c", "d", "e"),
    )
    assert lines("1.0 a\n@cut", load_7="5.0 b", last="9.0 c") == ("a", GAP, "b", GAP, "c")
    assert lines("1.0 a\n9.0 b", load_7="5.0 x", last="9.0 b") == ("a", "b")
    assert lines("1.0 a\n@cut", load_7="8.0 c\n9.0 d", load_8="5.0 b", last="9.0 d") == ("a", GAP, "b", GAP, "c", "d")


def test_lines_that_a_byte_limit_cut_are_dropped() -> None:
    long = "x" * 200
    full = "\n".join(f"{n}.0 {long}" for n in range(1, 2000))
    first = lines(full[:WINDOW])
    assert all(line in (long, GAP) for line in first)
    last = lines("1.0 a\n@cut", last=full[-WINDOW:])
    assert last[:2] == ("a", GAP)
    assert all(line == long for line in last[2:])


def test_continuation_lines_stay_with_their_message() -> None:
    assert lines("1.0 one\n    two\n2.0 three") == ("one", "    two", "three")


def test_suppressed_messages_are_counted() -> None:
    found = journal(
        "1.0 Suppressed 25 messages from ollama.service\n2.0 x\n3.0 Suppressed 3 messages from ollama.service"
    )
    assert isinstance(found, Known)
    assert found.value.suppressed == 28


def test_a_journal_that_may_not_be_read_is_not_empty() -> None:
    # systemd 252 and 257: journalctl prints nothing and exits with 0 then.
    blind = journal(access="1000\nblocked /run/log/journal/x/system.journal")
    assert isinstance(blind, Unreadable)
    assert "systemd-journal" in blind.allow
    assert isinstance(journal(access="1000"), Unreadable)
    assert isinstance(journal("1.0 a", access="1000\nreadable /run/log/journal/x/system.journal"), Known)
    elsewhere = journal(unit=UNIT.replace("inherit", "append:/var/log/ollama.log"))
    assert isinstance(elsewhere, Unreadable)
    assert "/var/log/ollama.log" in elsewhere.why
    failed = journal("Failed to open files: Input/output error\n@cut")
    assert isinstance(failed, Unreadable)
    assert "Input/output error" in failed.why


def test_without_systemd_there_is_no_journal() -> None:
    missing = Output("journal", {"access": Part(None, "", "journalctl"), "unit": Part(0, UNIT)}, True)
    assert isinstance(SECTION.parse(missing), Absent)
    assert isinstance(journal(unit="System has not been booted with systemd as init system (PID 1)."), Absent)
    assert isinstance(journal(unit="LoadState=not-found\nInvocationID="), Absent)
    assert isinstance(SECTION.parse(Output("journal", {}, False)), Unreadable)
