"""What `systemctl show` prints, and bytes as base64 or hexadecimal, taken apart."""

from __future__ import annotations

import base64
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu.host.reading import Unreadable
from ongpu.probe import octets, systemd
from ongpu.probe.output import Part


def shown(word: str) -> str:
    """A word as systemd 252 and 257 print it in a list property (seen on real hosts)."""
    if word and all(letter in string.ascii_letters + string.digits + "=:/.,%_-+@#" for letter in word):
        return word
    escapes = {"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\", "$": "\\$", "`": "\\`"}
    return '"' + "".join(escapes.get(letter, letter) for letter in word) + '"'


@given(st.lists(st.text(st.characters(exclude_categories=["C"], include_characters="\n\t"))))
def test_words_as_systemd_quotes_them(found: list[str]) -> None:
    assert systemd.words(" ".join(shown(word) for word in found)) == tuple(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ('"caf\\303\\251" "\\x41\\a"', ("café", "A\a")),
        ("$'a b\\'c' d", ("a b'c", "d")),
        ('"never closed', ("never closed",)),
        ('"ends with a backslash\\', ("ends with a backslash\\",)),
        ('a"b c"d', ("ab cd",)),
        ("A=~a\u2029 B=\u00a0 C=\x85", ("A=~a\u2029", "B=\u00a0", "C=\x85")),  # systemd 252: no quotes
        ('""', ("",)),
    ],
)
def test_words(text: str, found: tuple[str, ...]) -> None:
    assert systemd.words(text) == found


def test_properties_on_several_lines() -> None:
    text = "LoadState=loaded\nDeviceAllow=/dev/nvidiactl rw\nDeviceAllow=char-nvidia-uvm rw\nExecStart={ a\nb }\nUser="
    assert systemd.properties(text) == {
        "LoadState": "loaded",
        "DeviceAllow": "/dev/nvidiactl rw\nchar-nvidia-uvm rw",
        "ExecStart": "{ a\nb }",
        "User": "",
    }


def test_exec_start() -> None:
    # systemd 252
    text = (
        "{ path=/usr/local/bin/ollama ; argv[]=/usr/local/bin/ollama serve ; ignore_errors=no ; "
        "start_time=[Tue 2026-11-24 06:02:27 UTC] ; stop_time=[n/a] ; pid=87 ; code=(null) ; status=0/0 }"
    )
    assert systemd.command_line(text) == "/usr/local/bin/ollama serve"
    assert systemd.command_line("") == ""


def test_timestamps() -> None:
    assert systemd.timestamp("Tue 2026-11-24 06:02:27 UTC") == datetime(2026, 11, 24, 6, 2, 27, tzinfo=UTC)
    assert systemd.timestamp("") is None
    assert systemd.timestamp("Tue 2026-13-45 06:02:27 UTC") is None
    assert systemd.timestamp("Di 2026-11-24 06:02:27 CET") is None


@given(st.text())
def test_any_text(text: str) -> None:
    systemd.words(text)
    systemd.properties(text)
    systemd.environment(text)
    systemd.environment_files(text)
    systemd.command_line(text)
    systemd.timestamp(text)


@given(st.binary())
def test_octets_round_trip(raw: bytes) -> None:
    assert octets.decode(Part(0, "base64\n" + base64.encodebytes(raw).decode())) == raw
    assert octets.decode(Part(0, "hex\n" + " ".join(f"{byte:02x}" for byte in raw))) == raw


@given(st.sampled_from([0, 1, None]), st.text())
def test_any_octets(rc: int | None, text: str) -> None:
    octets.decode(Part(rc, text))
    octets.decode_text(Part(rc, "base64\n" + text))


def test_why_octets_are_missing() -> None:
    denied = octets.decode(Part(2, "sh: 5: cannot open /proc/1/environ: Permission denied"))
    assert denied == Unreadable("permission denied", "run the probe as root (sudo)")
    assert octets.decode(Part(None)) == Unreadable("cut off (time or size limit)")
    assert isinstance(octets.decode(Part(0, "base64\n!!!")), Unreadable)
