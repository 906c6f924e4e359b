"""A manifest is read whole or not at all."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.host.run_record import State, parse

# As a lab host (Debian 12) wrote it, shortened.
TEXT = """\
file /etc/systemd/system/ollama.service 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 644
file /etc/systemd/system/ollama.service.d/50-ongpu.conf - -
current 0.32.15
binary link /opt/ongpu/ollama/current/bin/ollama
unit enabled active
package nvidia-driver-cuda 580.95.05-1 hi
package libcuda1:amd64 580.95.05-1 ii
"""


def test_a_manifest() -> None:
    state = parse(TEXT.split("\n"))
    assert state == State(
        files={
            "/etc/systemd/system/ollama.service": (
                "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "644",
            ),
            "/etc/systemd/system/ollama.service.d/50-ongpu.conf": None,
        },
        current="0.32.15",
        binary="link /opt/ongpu/ollama/current/bin/ollama",
        enabled="enabled",
        active="active",
        packages={"nvidia-driver-cuda": ("580.95.05-1", True), "libcuda1:amd64": ("580.95.05-1", False)},
    )
    assert state is not None
    assert state.has_unit


def test_a_blank_host() -> None:
    state = parse(["file /x - -", "current -", "binary - -", "unit not-found inactive"])
    assert state is not None
    assert (state.current, state.binary, state.has_unit) == ("", "", False)


def test_cut_off_it_is_none() -> None:
    lines = TEXT.split("\n")
    assert all(parse(lines[:count]) is None for count in range(5))


@settings(max_examples=80)
@given(st.lists(st.one_of(st.text(max_size=60), st.sampled_from(TEXT.split("\n"))), max_size=12))
def test_any_text_is_read_without_an_exception(lines: list[str]) -> None:
    parse(lines)
