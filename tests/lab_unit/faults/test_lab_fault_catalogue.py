from __future__ import annotations

import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lab.causes import CAUSES
from tests.lab.test_lab_faults import EFFECTS

from ongpu.rules.catalogue import catalogue
from ongpu_lab import faults
from ongpu_lab.errors import LabError
from ongpu_lab.faults.base import with_key

WORDS = st.text("abcdefgh_", min_size=1, max_size=8)
SECTIONS = st.dictionaries(WORDS, st.dictionaries(WORDS, WORDS, min_size=1, max_size=3), max_size=3)


RULES = {entry.rule.slug for entry in catalogue()}


def test_every_fault_explains_itself_and_is_tested_on_a_real_host() -> None:
    found = faults.every()
    assert len(found) >= 15
    for fault in found:
        assert 10 < len(fault.summary) < 120, fault.name
        assert callable(fault.apply)
        assert callable(fault.clear)
    assert {fault.name for fault in found if fault.name not in EFFECTS} == {
        fault.name for fault in found if fault.cause in CAUSES and fault.name not in EFFECTS
    }


def test_what_is_staged_is_a_rule_and_has_one_fault() -> None:
    causes = [fault.cause for fault in faults.every() if fault.cause in RULES]
    assert len(causes) == len(set(causes))
    assert set(causes) == set(CAUSES), "a fault of a rule belongs into tests/lab/causes.py"
    assert len(causes) >= 40


def test_a_fault_is_found_by_its_cause() -> None:
    assert faults.find("cuda-visible-devices-hides-gpu").name == "env-cpu"
    assert faults.find("thermal-throttle").name == "thermal-throttle"


def test_a_near_name_is_offered() -> None:
    with pytest.raises(LabError, match="no fault `disk-ful`; did you mean `disk-full`"):
        faults.find("disk-ful")


@given(SECTIONS, WORDS, WORDS, st.none() | WORDS)
def test_a_knob_changes_its_key_and_nothing_else(
    sections: dict[str, dict[str, str]], section: str, key: str, value: str | None
) -> None:
    text = "# first\n" + "".join(
        f"[{name}]\n# of {name}\n" + "".join(f"{k} = {v}\n" for k, v in pairs.items())
        for name, pairs in sections.items()
    )
    parser = configparser.RawConfigParser()
    parser.read_string(with_key(text, section, key, value))
    expected = {name: dict(pairs) for name, pairs in sections.items()}
    if value is None:
        expected.get(section, {}).pop(key, None)
    else:
        expected.setdefault(section, {})[key] = value
    assert {name: dict(parser[name]) for name in parser.sections()} == expected


def test_comments_and_repeated_keys_stay() -> None:
    text = "# top\n[gpu0]\nprocess = a, 1\nprocess = b, 2\n[gpu1]\n; mine\n"
    broken = with_key(text, "gpu0", "error", "15")
    assert broken == "# top\n[gpu0]\nerror = 15\nprocess = a, 1\nprocess = b, 2\n[gpu1]\n; mine\n"
    assert with_key(broken, "gpu0", "error", None) == text
    assert with_key(with_key("", "a", "b", "c"), "a", "b", None) == ""
