"""Parts of the snapshot as facts: their own section only, secrets gone, and never a default value."""

from __future__ import annotations

import subprocess

import pytest

from ongpu.facts.ollama import Install, Models, Service
from ongpu.facts.ollama import _Part as Part

FACTS = [Service, Install, Models]


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_runs_its_own_section_only(fact: type[Part]) -> None:
    assert fact().command().count("\nsection ") == 1
    assert f"\nsection {fact.section.name} " in fact().command()


@pytest.mark.parametrize("fact", FACTS)
def test_no_answer_is_no_value(fact: type[Part]) -> None:
    found = fact().process([])
    assert found["state"] == "unreadable"
    assert found["why"]


def test_it_reads_this_machine() -> None:
    done = subprocess.run(
        ["sh", "-s"], input=Install().command(), capture_output=True, text=True, timeout=30, check=True
    )
    assert Install().process(done.stdout.split("\n"))["state"] in ("known", "absent")
