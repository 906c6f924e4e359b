"""The idle check: looks recorded on real systemd hosts (Ollama's place taken by a stand-in), and every broken one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.probe import busy
from ongpu.probe.busy import Blind, Busy, Idle
from tests.probe.shells import RECORDINGS, SHELLS, process, run, tool

LOOKS = RECORDINGS / "probe" / "busy"


def look(name: str) -> str:
    return (LOOKS / f"{name}.txt").read_text()


def reasons(text: str) -> str:
    found = busy.parse(text)
    assert isinstance(found, Busy), found
    return found.why


def test_idle() -> None:
    found = busy.parse(look("idle-loaded"))
    assert found == Idle("1 runners, 0 connected clients; no request in two samples 2 s apart")
    assert busy.parse(look("stopped")) == Idle("no Ollama server runs")
    # A killed runner stays in /api/ps; without a client nobody can be waiting for it.
    assert isinstance(busy.parse(look("killed-runner")), Idle)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("generating", "a request is being answered by a runner; the runner on port 46000 is processing"),
        ("loading-b", "a process of the server came or went"),
        ("frozen-runner", "the runner on port 46001 does not say what it does"),
        ("killed-runner-client", "clients are connected while a runner is missing (1 runners, 2 in /api/ps)"),
        ("server-frozen", "/api/ps gave no answer within 3 s"),
    ],
)
def test_busy(name: str, why: str) -> None:
    assert why in reasons(look(name))


def test_what_may_not_be_read_is_not_idle() -> None:
    for name in ("no-ptrace", "user"):
        found = busy.parse(look(name))
        assert isinstance(found, Blind)
        assert "may not be read" in found.why
        assert "root" in found.allow


def changed(old: str, new: str, name: str = "idle-loaded", count: int = 0) -> str:
    text, times = re.subn(old, new, look(name), count=count, flags=re.MULTILINE)
    assert times, f"{old!r} is not in {name}"
    return text


# What follows a socket of the server's own in the recording: its listening one.
OWN = re.search(r"^00000000:2CAA 00000000:0000 0A (\d+)$", look("idle-loaded"), re.MULTILINE)
assert OWN
CLIENT = f"0100007F:2CAA 0100007F:D6C2 01 {OWN[1]}"
OUTBOUND = f"0A000002:D6C2 08080808:01BB 01 {OWN[1]}"
TCP = r"(part tcp:[12]\n)"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (TCP, rf"\g<1>{CLIENT}\n{OUTBOUND}\n", "a client waits while the server talks to another host"),
        (r"(part fds:1\n)", r"\1/usr/share/ollama/.ollama/models/blobs/sha256-aa-partial\n", "a blob is open"),
        (r'"is_processing": false', '"is_processing": true', "is processing"),
        (r'"is_processing": false\n200', "503", "does not say what it does"),
        (r'^\{"models": \[.*\]\}', '{"models": []}', "being loaded or unloaded (1 runners, 0 in /api/ps)"),
        (r"(part cmdline:)(\d+)\n", r"\g<1>9\nbase64\nb2xsYW1hAHJ1bm5lcgA=\n\n@@x rc 0\n\n@@x part cmdline:\2\n", ""),
    ],
)
def test_signs_of_work(old: str, new: str, why: str) -> None:
    nonce = look("idle-loaded").split()[2]
    if not why:  # a child without --model
        new, why = new.replace("@@x", f"@@{nonce}"), "a helper process runs"
    assert why in reasons(changed(old, new))


def test_work_without_any_other_sign_shows_in_cpu_time() -> None:
    text = look("idle-loaded")
    at = text.index("part stat:2")
    later = re.sub(r"(\(llama-server\) S (?:\S+ ){10})\d+", r"\g<1>500", text[at:])
    assert "use the CPU" in reasons(text[:at] + later)


def test_an_idle_client_is_no_work() -> None:
    found = busy.parse(changed(TCP, rf"\g<1>{CLIENT}\n"))
    assert isinstance(found, Idle)
    assert "1 connected clients" in found.looked_at
    # Connections that the server keeps to a registry for some time after a pull are none either.
    assert isinstance(busy.parse(changed(TCP, rf"\g<1>{OUTBOUND}\n")), Idle)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (r"^@@\S+ end\n", "", None),
        (r"^@@\S+ done busy\n", "", "cut off"),
        (r"^00000000:2CAA .*\n", "", "no listening socket"),
        (r"^socket:.*\n", "", "may not be read"),
        (r'^\{"models": .*\n', "", "/api/ps"),
        (r'^\{"models": .*', "<html>", "/api/ps"),
        (r"^\d+ \(.*\n", "", "ended while it was looked at"),
        (r"part server\n.*", "part server\nnonsense", "could not be looked for"),
        (r"part ps\n(.|\n)*?rc 0", "missing curl", "HTTP"),
    ],
)
def test_a_look_with_something_missing_is_blind(old: str, new: str, why: str | None) -> None:
    text = changed(old, new)
    if new == "missing curl":
        text = changed(r"(@@\S+) part ps\n(?:.|\n)*?rc 0", r"\1 part ps\n\n\1 missing curl")
    found = busy.parse(text)
    if why is None:  # the section itself was complete
        assert isinstance(found, Idle)
    else:
        assert isinstance(found, Blind), found
        assert why in found.why


def test_nothing_at_all_is_blind() -> None:
    assert isinstance(busy.parse(""), Blind)
    denied = busy.parse("sudo: a password is required")
    assert isinstance(denied, Blind)
    assert "a password is required" in denied.why


@given(st.sampled_from(sorted(path.stem for path in LOOKS.glob("*.txt"))), st.data())
@settings(max_examples=80, deadline=None)
def test_a_look_cut_off_anywhere_is_never_idle(name: str, data: st.DataObject) -> None:
    whole = look(name)
    end = data.draw(st.integers(0, whole.index(" done busy")))
    assert not isinstance(busy.parse(whole[:end]), Idle)


@given(st.sampled_from(sorted(path.stem for path in LOOKS.glob("*.txt"))), st.data())
@settings(max_examples=80, deadline=None)
def test_damaged_looks(name: str, data: st.DataObject) -> None:
    whole = look(name)
    at = data.draw(st.integers(0, len(whole)))
    junk = data.draw(
        st.one_of(st.text(max_size=50), st.sampled_from(["9" * 5000, "[" * 5000, "\n" * 50, '{"models":']))
    )
    busy.parse(whole[:at] + junk + whole[at + data.draw(st.integers(0, 300)) :])


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_itself(shell: tuple[str, ...], tmp_path: Path) -> None:
    """Run against a /proc of our own: a server with one idle runner, then the same with a request under way."""
    tools, proc = tmp_path / "tools", tmp_path / "proc"
    tool(tools, "systemctl", "echo MainPID=725; echo Environment=; echo EnvironmentFiles=")
    tool(
        tools,
        "curl",
        """for url; do :; done
case $url in
  http://127.0.0.1:9999/api/ps) echo '{"models":[{"name":"a"}]}' ;;
  http://127.0.0.1:46211/slots) echo '[{"id":0,"prompt":"a secret","is_processing":false}]' ;;
  *) exit 7 ;;
esac
echo 200""",
    )
    process(proc, 725, 1, ["/usr/local/bin/ollama", "serve"], b"OLLAMA_HOST=127.0.0.1:9999\0")
    process(proc, 808, 725, ["/usr/local/lib/ollama/llama-server", "--model", "/m", "--port", "46211"])
    (proc / "725" / "fd" / "3").symlink_to("socket:[555]")
    (proc / "725" / "fd" / "4").symlink_to("socket:[556]")
    table = proc / "725" / "net" / "tcp"
    listening = "   0: 0100007F:270F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 555 1 0\n"
    request = "   1: 0100007F:D6C2 0100007F:B483 01 00000000:00000000 00:00000000 00000000     0        0 556 1 0\n"
    table.write_text(listening)
    text = run(shell, busy.script("0.05"), tools, proc)
    assert busy.parse(text) == Idle("1 runners, 0 connected clients; no request in two samples 0.05 s apart")
    assert "a secret" not in text
    table.write_text(listening + request)
    assert "a request is being answered" in reasons(run(shell, busy.script("0.05"), tools, proc))


def test_the_script_says_how_long_it_waits() -> None:
    assert "sleep 2" in busy.SCRIPT
    assert "PAUSE" not in busy.SCRIPT
