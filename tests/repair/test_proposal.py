"""What would repair a finding on this host: pure, from the rule's actions."""

from __future__ import annotations

import pytest

from ongpu.host.paths import FIX_DROP_IN
from ongpu.plan.build import RESOURCES
from ongpu.plan.fix_drop_in import parse
from ongpu.plan.types import Interrupts, Put, Remove
from ongpu.repair.judge import Look
from ongpu.repair.pieces import piece
from ongpu.repair.proposal import CLASSES, Proposal, proposals
from ongpu.rules.action import Converge
from ongpu.rules.catalogue import Entry, catalogue
from ongpu.rules.recognise import evidence_of
from tests.plan.builders import configured_host, spec
from tests.repair.scenes import context, hidden, proposed

REPAIRS = [entry for entry in catalogue() if entry.rule.repair]
by_rule = pytest.mark.parametrize("entry", REPAIRS, ids=lambda entry: entry.rule.slug)


def written(offer: Proposal) -> Put:
    return next(step for step in offer.steps if isinstance(step, Put) and step.path == FIX_DROP_IN)


@by_rule
def test_a_repair_is_never_for_a_rule_that_only_a_person_may_repair(entry: Entry) -> None:
    assert entry.manual.safety in CLASSES


@by_rule
def test_every_repair_has_steps_on_a_host_of_ours(entry: Entry) -> None:
    host = configured_host()
    assert entry.rule.repair
    for example in entry.rule.fires:
        actions = entry.rule.repair(evidence_of({"paste": example}))
        for action in actions:
            made = piece(context(host), action)
            assert made.summary
            assert set(made.resources) <= set(RESOURCES)
            assert made.needs <= CLASSES[entry.manual.safety] or isinstance(action, Converge)


def test_a_foreign_variable_is_taken_away_by_a_drop_in_of_ours() -> None:
    offer = proposed(hidden(), "cuda-visible-devices-hides-gpu")
    assert offer.needs is Interrupts.RESTART
    assert parse(written(offer).content).unset == {"CUDA_VISIBLE_DEVICES"}
    assert offer.undo == (Remove(path=FIX_DROP_IN),)


def test_a_declared_variable_gets_its_declared_value() -> None:
    gpu = "GPU-5b5f1a52-7a7c-4a2b-9f0e-1d2c3b4a5f60"
    offer = proposed(hidden(), "cuda-visible-devices-hides-gpu", spec(models={}, ollama={"gpus": [gpu]}))
    assert parse(written(offer).content).values == {"CUDA_VISIBLE_DEVICES": gpu}


def test_a_declared_variable_that_an_environment_file_beats_is_refused() -> None:
    host = hidden()
    host.environment_file = {"CUDA_VISIBLE_DEVICES": "-1"}
    host._start()
    gpu = "GPU-5b5f1a52-7a7c-4a2b-9f0e-1d2c3b4a5f60"
    offer = proposed(host, "cuda-visible-devices-hides-gpu", spec(models={}, ollama={"gpus": [gpu]}))
    assert (offer.ends, offer.steps) == ("refused", ())
    assert "/etc/default/ollama" in offer.why


def test_what_is_not_allowed_is_refused_with_the_option_that_allows_it() -> None:
    offer = proposed(hidden(), "cuda-visible-devices-hides-gpu", allowed=Interrupts.NONE)
    assert offer.ends == "refused"
    assert "--allow restart" in offer.why


def test_two_repairs_write_one_drop_in_with_both() -> None:
    host = hidden(CUDA_VISIBLE_DEVICES="-1", LLAMA_ARG_CPU_MOE="1", ROCR_VISIBLE_DEVICES="0")
    look = Look(host.snapshot())
    offers = proposals(context(host), look.seen, look.diagnosis.findings, Interrupts.RESTART)
    runnable = [offer for offer in offers if not offer.ends]
    assert len(runnable) >= 3
    assert parse(written(runnable[-1]).content).unset >= {
        "CUDA_VISIBLE_DEVICES",
        "LLAMA_ARG_CPU_MOE",
        "ROCR_VISIBLE_DEVICES",
    }
    assert {offer.undo for offer in runnable if offer.undo} == {(Remove(path=FIX_DROP_IN),)}


def test_what_an_earlier_repair_wrote_is_kept() -> None:
    host = hidden()
    before = "[Service]\nUnsetEnvironment=LLAMA_ARG_CPU_MOE\n"
    host.files[FIX_DROP_IN] = (before, "0644")
    offer = proposed(host, "cuda-visible-devices-hides-gpu")
    assert parse(written(offer).content).unset == {"CUDA_VISIBLE_DEVICES", "LLAMA_ARG_CPU_MOE"}
    (back,) = offer.undo
    assert isinstance(back, Put)
    assert parse(back.content).unset == {"LLAMA_ARG_CPU_MOE"}
