"""Fixed, still failing, worse: by the same rules on two looks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ongpu.host.reading import Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.repair.judge import Look, confirmed, worse
from tests.plan.builders import configured_host, spec
from tests.plan.world import World
from tests.repair.scenes import FOUND_GPU, hidden

CAUSE = "cuda-visible-devices-hides-gpu"


def healthy() -> World:
    host = configured_host(declared=spec(models={}))
    host.journal = (FOUND_GPU,)
    return host


def test_a_rule_that_is_quiet_afterwards_has_been_repaired() -> None:
    assert confirmed(CAUSE, Look(hidden().snapshot()))[0] == "failing"
    assert confirmed(CAUSE, Look(healthy().snapshot())) == ("fixed", "")


def test_a_host_that_cannot_be_seen_afterwards_confirms_nothing() -> None:
    assert confirmed(CAUSE, Look(HostSnapshot.unreadable("no answer within 120 s")))[0] == "unconfirmed"


def test_what_the_rule_looks_at_has_to_be_readable() -> None:
    blind = Unreadable("no permission")
    snapshot = replace(healthy().snapshot(), journal=blind, service=blind)
    assert confirmed(CAUSE, Look(snapshot))[0] == "unconfirmed"


def test_a_service_that_does_not_come_back_is_worse() -> None:
    before, after = healthy(), healthy()
    after.process = None
    assert worse(Look(before.snapshot()), Look(after.snapshot())) == "ollama ran before and is inactive now"


def test_a_lost_gpu_is_worse() -> None:
    before, after = healthy(), healthy()
    after.loaded = ""
    assert "talked to 1 GPUs before and talks to 0 now" in worse(Look(before.snapshot()), Look(after.snapshot()))


def test_a_new_critical_finding_is_worse_only_where_the_gpu_worked_before() -> None:
    before, after = healthy(), hidden()
    assert worse(Look(before.snapshot()), Look(after.snapshot())).startswith("new: CUDA_VISIBLE_DEVICES=-1 hides")
    before.loaded = ""
    assert worse(Look(before.snapshot()), Look(after.snapshot())) == ""


@pytest.mark.parametrize("host", [healthy(), hidden()], ids=["healthy", "hidden"])
def test_the_same_host_is_not_worse(host: World) -> None:
    assert worse(Look(host.snapshot()), Look(host.snapshot())) == ""
