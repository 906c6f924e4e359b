from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu_lab import layout
from ongpu_lab.errors import LabError
from ongpu_lab.vendor import hardware

HOST = '[[host]]\nname = "a1"\nsuite = "bookworm"\nprofile = "rtx4060"\n'


@pytest.mark.parametrize("name", layout.names())
def test_shipped_layouts_are_whole(name: str) -> None:
    shape = layout.load(name)
    assert {host.profile for host in shape.hosts} <= set(hardware.profiles())
    assert layout.Layout.from_data(shape.as_data()) == shape


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x", "x.toml: not TOML: "),
        ("hosts = 3", "x.toml: unknown key `hosts`; a layout has"),
        ("", "x.toml: a layout needs 1 to 200"),
        (HOST + HOST, "x.toml: two hosts have the same name."),
        (HOST.replace("a1", "A"), "x.toml: host 1: `A` is no host name"),
        (HOST.replace("a1", "a" * 11), "at most 10 characters"),
        (HOST.replace("bookworm", "sarge"), "there is no suite `sarge`; there are bookworm, trixie, rocky9, sles15."),
        (HOST + "gpu = 1", "x.toml: host 1: needs the keys name, suite and profile"),
        (HOST.replace('"a1"', "1"), "each a text"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, says: str) -> None:
    with pytest.raises(LabError) as caught:
        layout.parse(text, "x.toml")
    assert says in str(caught.value)


@given(st.text())
def test_any_text_is_a_layout_or_a_lab_error(text: str) -> None:
    with suppress(LabError):
        layout.parse(text, "x.toml")


def test_numbered_hosts_have_names_and_addresses_of_their_own() -> None:
    hosts = layout.numbered(200).hosts
    assert len({host.name for host in hosts}) == len({host.address for host in hosts}) == 200
    assert hosts[-1].address == "10.77.0.210"
    for count in (0, 201):
        with pytest.raises(LabError, match="--hosts must be 1 to 200"):
            layout.numbered(count)


def test_unknown_names_show_those_that_there_are() -> None:
    with pytest.raises(LabError, match="no lab layout `big`; there are default, one, pair"):
        layout.load("big")
    with pytest.raises(LabError, match=r"^/nowhere/x\.toml: No such file"):
        layout.load("/nowhere/x.toml")
    with pytest.raises(LabError, match="has no host `lab9`; it has lab1, lab2"):
        layout.load("pair").host("lab9")
