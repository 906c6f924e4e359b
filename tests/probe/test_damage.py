"""Answers that arrive cut off, doubled, forged, garbled or flooded: less is known, nothing false, no exception."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe import frame
from ongpu.probe.decode import decode
from ongpu.probe.sections import ORDER
from tests.probe import whole

TEXT = whole.text()
WHOLE = decode(TEXT)
BOUNDARIES = [found.start() for found in re.finditer(rf"^@@{whole.NONCE} ", TEXT, re.MULTILINE)]
STARTS = {name: TEXT.index(f"@@{whole.NONCE} section {name}\n") for name in ORDER}


def check_cut(at: int) -> None:
    found = decode(TEXT[:at])
    for name in ORDER:
        reading, complete = getattr(found, name), getattr(WHOLE, name)
        done = TEXT.find(f"\n@@{whole.NONCE} done {name}\n")
        if at <= STARTS[name]:
            assert isinstance(reading, Unreadable), name
            assert reading.why
        elif at > done + len(f"\n@@{whole.NONCE} done {name}"):
            assert reading == complete, name
        else:
            assert whole.agrees(reading, complete), f"{name}: {reading}"


def test_the_whole_answer_is_understood() -> None:
    for name in ORDER:
        assert isinstance(getattr(WHOLE, name), Known), getattr(WHOLE, name)


@pytest.mark.parametrize("at", BOUNDARIES)
def test_cut_at_every_frame(at: int) -> None:
    check_cut(at)
    check_cut(at - 1)


@given(st.integers(0, len(TEXT)))
@settings(max_examples=150, deadline=None)
def test_cut_anywhere(at: int) -> None:
    check_cut(at)


def test_a_marker_that_was_cut_is_none() -> None:
    """`rc 1` may have been `rc 124`, `part gp` a part of another name."""
    head = "@@ongpu 1 n\n\n@@n section s\n\n@@n part one\nx\n\n"
    for tail in ("@@n rc 1", "@@n rc 0", "@@n rc"):
        assert frame.split(head + tail).outputs["s"]["one"].rc is None
    assert frame.split(head + "@@n rc 1\n").outputs["s"]["one"].rc == 1
    assert "gp" not in frame.split(head + "@@n rc 0\n\n@@n part gp").outputs["s"].parts
    assert not frame.split(head + "@@n done s").outputs["s"].complete
    assert frame.split(head + "@@n end").complete, "a transport that strips the last newline"


def test_another_protocol_is_not_guessed() -> None:
    frames = frame.split(TEXT.replace("@@ongpu 1 ", "@@ongpu 2 ", 1))
    assert "protocol 2" in frames.trouble
    assert not frames.outputs


def test_noise_before_and_after() -> None:
    assert decode(f"Welcome to gpu01!\n@@ongpu\n{TEXT}\nConnection closed.\n") == WHOLE


def test_carriage_returns() -> None:
    """A pseudo terminal on the way ends lines with CR LF."""
    assert frame.split(TEXT.replace("\n", "\r\n")) == frame.split(TEXT)


def test_sections_that_come_twice_or_in_another_order() -> None:
    first, rest = TEXT.split("\n", 1)
    sections = re.split(rf"(?=\n@@{whole.NONCE} section )", rest.replace(f"\n@@{whole.NONCE} end\n", ""))
    end = f"\n@@{whole.NONCE} end\n"
    assert decode(first + "\n" + "".join(reversed(sections)) + end) == WHOLE
    assert decode(first + "\n" + "".join(sections + sections) + end) == WHOLE


def test_a_marker_in_a_log_line_is_a_log_line() -> None:
    """It does not know the nonce; in the middle of a line even the right one is none."""
    forged = "\n@@0123456789abcdef part nvrm\n@@0123456789abcdef end\nx @@" + whole.NONCE + " end\n@@ongpu 1 x\n"
    text = TEXT.replace("@lines 612 6", forged + "@lines 612 6")
    found = decode(text)
    for name in ORDER:
        if name != "kernel_log":
            assert getattr(found, name) == getattr(WHOLE, name), name
    assert isinstance(found.kernel_log, Known)
    assert isinstance(WHOLE.kernel_log, Known)
    assert found.kernel_log.value.xids == WHOLE.kernel_log.value.xids


def every_reading(found: HostSnapshot) -> None:
    for name in ORDER:
        reading = getattr(found, name)
        assert isinstance(reading, Known | Absent | Unreadable)
        assert not isinstance(reading, Unreadable) or "ongpu bug" not in reading.why, reading


ODD = st.sampled_from(
    ["\x00", "\udcff", "é", "\r", "\n", "\n\n", "-", " ", "=", "\t", "@@", "\x0c", "9" * 400, "[" * 50]
)


@given(st.lists(st.tuples(st.integers(0, len(TEXT)), st.integers(0, 200), ODD), max_size=30))
@settings(max_examples=150, deadline=None)
def test_garbled(edits: list[tuple[int, int, str]]) -> None:
    """Bytes replaced, lost and put in anywhere, markers too."""
    text = TEXT
    for at, lost, put in edits:
        text = text[:at] + put + text[at + lost :]
    every_reading(decode(text))


@given(st.text(max_size=300), st.booleans())
def test_anything(text: str, marked: bool) -> None:
    every_reading(decode(f"@@ongpu 1 n\n{text.replace('§', chr(10) + '@@n ')}" if marked else text))


def test_nothing_or_a_refusal_says_why() -> None:
    for text, why in (("", "no output"), ("sudo: a password is required\n", "a password is required")):
        found = decode(text)
        for name in ORDER:
            reading = getattr(found, name)
            assert isinstance(reading, Unreadable)
            assert why in reading.why


@pytest.mark.parametrize(
    "unit", ["x", "x\n", "@@", "\n@@ongpu ", "@@ongpu 1", f"\n@@{whole.NONCE} part a\n", "9 ", "[", "\0"]
)
def test_a_flood_takes_linear_time(unit: str) -> None:
    """50 MB before the first marker, and in a section whose limit did not hold."""
    flood = unit * ((50_000_000 if unit == "x" else 2_000_000) // len(unit))
    began = time.process_time()
    every_reading(decode(flood))
    every_reading(decode(TEXT.replace("NVRM: No NVIDIA GPU found.", f"NVRM: {flood[:5_000_000]}")))
    assert time.process_time() - began < 8
