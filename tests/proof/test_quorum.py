"""The rule, over every combination of what five witnesses can say."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.host.result import ModelVerdict, Testimony, WitnessSays
from ongpu.proof.quorum import verdict
from ongpu.proof.witnesses import all_witnesses

NAMES = tuple(witness.name for witness in all_witnesses())
PLACING = {witness.name for witness in all_witnesses() if witness.places}
SAYS: tuple[WitnessSays, ...] = get_args(WitnessSays)


def heard(said: tuple[WitnessSays, ...]) -> list[Testimony]:
    return [Testimony(witness=name, says=says, why="") for name, says in zip(NAMES, said, strict=True)]


def test_the_witnesses_are_found_in_the_order_of_their_rank() -> None:
    assert NAMES == ("api", "log", "driver", "environment", "generation")
    assert {"api", "log", "driver"} == PLACING


@pytest.mark.parametrize("said", list(product(SAYS, repeat=len(NAMES))))
def test_every_combination(said: tuple[WitnessSays, ...]) -> None:
    yes = {name for name, says in zip(NAMES, said, strict=True) if says == "yes"}
    no = {name for name, says in zip(NAMES, said, strict=True) if says == "no"}
    found = verdict(heard(said), PLACING)
    assert (found == "verified") == (not no and len(yes) >= 2 and bool(yes & {"log", "driver"}))
    assert (found == "disagreement") == (bool(no) and bool(yes & PLACING))
    assert (found == "not_verified") == (bool(no) and not yes & PLACING)
    if found == "verified":
        assert yes - {"api"}, "the API alone proves nothing"


testimonies = st.builds(
    Testimony, witness=st.sampled_from([*NAMES, "another"]), says=st.sampled_from(SAYS), why=st.text()
)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(testimonies), st.sets(st.sampled_from([*NAMES, "another"])))
def test_any_testimonies(heard: list[Testimony], placing: set[str]) -> None:
    found: ModelVerdict = verdict(heard, placing)
    assert found in get_args(ModelVerdict)
    if found == "verified":
        assert all(one.says != "no" for one in heard)
        assert len({one.witness for one in heard if one.says == "yes"}) >= 2


@settings(deadline=None)  # the machine may be busy
@given(st.lists(testimonies))
def test_one_witness_heard_twice_is_one_witness(heard: list[Testimony]) -> None:
    assert verdict(heard, PLACING) == verdict(heard + heard, PLACING)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(testimonies))
def test_silence_never_helps(heard: list[Testimony]) -> None:
    silent = Testimony(witness="driver", says="silent", why="")
    assert verdict([*heard, silent], PLACING) == verdict(heard, PLACING)
