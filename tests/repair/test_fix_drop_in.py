"""The drop-in of `ongpu fix`: what is written is read again, and only what is ours."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.plan.fix_drop_in import Override, parse, text

NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,12}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=("C",)), max_size=20)
SETTINGS = st.dictionaries(
    st.sampled_from(["PrivateDevices", "DevicePolicy", "ProtectHome"]), st.sampled_from(["no", "auto"]), max_size=3
)


@st.composite
def overrides(draw: st.DrawFn) -> Override:
    values = draw(st.dictionaries(NAMES, VALUES, max_size=4))
    unset = draw(st.frozensets(NAMES, max_size=4)) - values.keys()
    return Override(unset=unset, values=values, settings=draw(SETTINGS))


@given(overrides())
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_again(override: Override) -> None:
    assert parse(text(override)) == override
    assert text(parse(text(override))) == text(override)


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_is_read(written: str) -> None:
    parse(written)


def test_a_variable_is_either_taken_away_or_set() -> None:
    override = Override().without("A").having("A", "1")
    assert (override.unset, override.values) == (frozenset(), {"A": "1"})
    assert override.without("A") == Override(unset=frozenset({"A"}))


def test_what_is_declared_is_left_alone() -> None:
    override = Override().without("CUDA_VISIBLE_DEVICES").without("B").having("C", "1").having("D", "2")
    kept = override.declared({"CUDA_VISIBLE_DEVICES": "GPU-1", "C": "1", "D": "3"})
    assert kept == Override(unset=frozenset({"B"}), values={"C": "1"})
