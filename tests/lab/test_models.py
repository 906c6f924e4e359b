"""Models on a real host: proven side by side, and what a proof finds where one is not as it says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from ongpu_lab import faults
from ongpu_lab.lab import Lab
from tests.lab.fleets import Controller
from tests.lab.machines import Host
from tests.lab.models import (
    EMBEDDING,
    GPUS,
    SMALL,
    THREE,
    VISION,
    Declare,
    blank_lab3,
    blocked,
    by_name,
    declaring,
    knob,
    load,
    resident,
    restart,
    says,
    store,
    unload,
)

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def server(lab: Lab) -> Host:
    return blank_lab3(lab)


@pytest.fixture
def declare(server: Host, controller: Callable[..., Controller]) -> Iterator[Declare]:
    yield from declaring(server, controller)


@pytest.fixture
def on(declare: Declare) -> Controller:
    """lab3 with the three models, proven."""
    made = declare(THREE)
    models = by_name(made.report("apply", "-y"))
    assert {name: model["verdict"] for name, model in models.items()} == dict.fromkeys(THREE, "verified")
    return made


# -- side by side --------------------------------------------------------------------------------------------


def test_text_embedding_and_vision_are_proven_together(on: Controller, server: Host) -> None:
    models = by_name(on.report("verify"))
    assert {name: model["verdict"] for name, model in models.items()} == dict.fromkeys(THREE, "verified")
    assert set(resident(server)) == {SMALL, f"{EMBEDDING}:latest", VISION}
    assert says(models[VISION], "driver") == "yes"
    evidence = {witness: told["evidence"] for witness, told in models[VISION]["witnesses"].items()}
    assert all(evidence[witness] for witness in ("api", "log", "driver", "environment"))
    timed = by_name(on.report("verify", "--load"))[SMALL]
    assert timed["tokens_per_second"] > 10
    assert timed["prompt_tokens_per_second"] > 10
    assert timed["roofline_tokens_per_second"] > timed["tokens_per_second"]


def test_what_a_client_has_loaded_stays_as_it_is(on: Controller, server: Host) -> None:
    """Another context than the service's, and an hour to live: a proof asks it with its own context."""
    load(server, EMBEDDING, keep_alive=0)
    load(server, VISION, options={"num_ctx": 16384}, keep_alive="1h")
    pids = server.out("pgrep -x llama-server | sort")
    models = by_name(on.report("verify", "--load"))
    assert models[VISION]["verdict"] == "verified"
    after = resident(server)[VISION]
    assert after["context_length"] == 16384
    left = server.out(f"echo $(($(date -d '{after['expires_at']}' +%s) - $(date +%s)))")
    assert 3500 < int(left) <= 3600
    assert set(pids.split()) <= set(server.out("pgrep -x llama-server | sort").split()), "no runner was replaced"


def test_where_one_may_be_loaded_two_are_proven_in_turn(declare: Declare, server: Host) -> None:
    """Told by the plan; and what a client has loaded is no turn's to take."""
    two = declare({SMALL: {"context": 8192}, EMBEDDING: {}}, env={"OLLAMA_MAX_LOADED_MODELS": 1})
    unload(server)  # what is resident is loaded again after a restart
    planned = [change["summary"] for change in two.report("plan", expect=2)["lab3"]["changes"]]
    assert any("so 1 of the 2 declared models stays loaded" in summary for summary in planned), planned
    models = by_name(two.report("apply", "-y"))
    assert {name: model["verdict"] for name, model in models.items()} == {SMALL: "verified", EMBEDDING: "verified"}
    assert "proven in turn: Ollama keeps at most 1 model of the 2 declared" in models[SMALL]["summary"]
    assert set(resident(server)) == {f"{EMBEDDING}:latest"}
    models = by_name(two.report("verify", "--load", expect=3))
    assert (models[EMBEDDING]["verdict"], models[SMALL]["verdict"]) == ("verified", "unknown")
    assert f"loading it would evict {EMBEDDING}:latest: Ollama keeps at most 1" in models[SMALL]["summary"]
    assert set(resident(server)) == {f"{EMBEDDING}:latest"}


def test_a_busy_neighbour_is_never_evicted(on: Controller, server: Host, declare: Declare) -> None:
    unload(server)  # what is resident is loaded again after a restart
    both = declare({VISION: {}}, env={"OLLAMA_MAX_LOADED_MODELS": 1})
    done = both.ongpu("apply", "-y")
    assert done.returncode == 0, done.stdout + done.stderr
    unload(server)
    load(server, SMALL, keep_alive="1h")
    model = by_name(both.report("verify", "--load", expect=3))[VISION]
    assert model["verdict"] == "unknown"
    assert f"loading it would evict {SMALL}" in model["summary"]
    assert set(resident(server)) == {SMALL}


def test_a_derived_model_and_what_is_not_declared_any_more(declare: Declare, server: Host) -> None:
    """Shown before it is removed, and never while it is loaded."""
    unload(server)  # SMALL has the same file: it would not be pushed out
    made = declare({"mine": {"from": SMALL, "context": 16384, "parameters": {"temperature": 0.2}}})
    models = by_name(made.report("apply", "-y"))
    assert (models["mine"]["verdict"], models["mine"]["context_length"]) == ("verified", 16384)
    assert made.report("plan")["lab3"]["changes"] == []
    unload(server)
    load(server, VISION, keep_alive="1h")
    pruned = declare({SMALL: {}}, prune=True)
    planned = [change["summary"] for change in pruned.report("plan", expect=2)["lab3"]["changes"]]
    assert not any(VISION in summary for summary in planned), "it is loaded"
    assert any(summary.startswith("remove mine:latest (") for summary in planned)
    assert pruned.ongpu("apply", "-y").returncode == 0
    assert store(server) == {SMALL, VISION}


# -- what a proof finds --------------------------------------------------------------------------------------


def test_two_unequal_cards_hold_one_model(declare: Declare, server: Host) -> None:
    knob(server, GPUS, "gpu1", "memory", "8188,0,334")
    restart(server)
    model = by_name(declare({"qwen3:32b": {"context": 8192}}).report("apply", "-y"))["qwen3:32b"]
    assert (model["verdict"], model["gpus"]) == ("verified", [0, 1])


def test_experts_that_overflow_are_foreseen_and_found(declare: Declare, server: Host) -> None:
    for gpu in ("gpu0", "gpu1"):
        knob(server, GPUS, gpu, "memory", "8188,0,334")
    restart(server)
    moe = declare({"qwen3:30b-a3b": {"context": 8192}})
    words = blocked(moe.report("plan", expect=2))
    assert "would stay in RAM" in words
    model = by_name(moe.report("apply", "-y", "--force", expect=2))["qwen3:30b-a3b"]
    assert model["verdict"] == "not_verified"
    assert "have their experts in RAM" in str(model["witnesses"]["log"])


FALSE = {
    "kv-on-cpu": ("log", "of KV cache on the CPU"),
    "device-none": ("api", "its size is 0"),
    "draft-hides-cpu": ("log", "of 17 layers on GPU"),
    "runner-killed": ("generation", "its runner was killed"),
    "runner-frozen": ("generation", "it is frozen"),
}


@pytest.mark.parametrize("fault", FALSE)
def test_a_false_100_percent_is_found(fault: str, declare: Declare, server: Host) -> None:
    witness, words = FALSE[fault]
    more = {EMBEDDING: {}} if fault == "runner-frozen" else {}
    some = declare({SMALL: {"context": 8192}, **more})
    assert some.ongpu("apply", "-y").returncode == 0
    faults.apply(server.lab, faults.find(fault), "lab3")
    started = time.monotonic()
    for model in by_name(some.report("verify", "--load", expect=2)).values():
        assert model["verdict"] in ("not_verified", "disagreement")
        assert says(model, witness) == "no"
        assert words in model["witnesses"][witness]["why"]
    assert time.monotonic() - started < 40, "nobody waits for a frozen runner"


def test_a_witness_that_cannot_speak_is_named_and_the_others_are_enough(declare: Declare, server: Host) -> None:
    faults.apply(server.lab, faults.find("memory-not-told"), "lab3")
    one = declare({SMALL: {"context": 8192}})
    model = by_name(one.report("apply", "-y"))[SMALL]
    assert model["verdict"] == "verified"
    assert says(model, "driver") == "silent"
    assert "its memory is not told" in model["witnesses"]["driver"]["why"]
    for gpu in ("gpu0", "gpu1"):
        knob(server, GPUS, gpu, "mig", "1,1")
    model = by_name(one.report("verify"))[SMALL]
    assert (model["verdict"], says(model, "driver")) == ("verified", "silent")
    assert "MIG is on" in model["witnesses"]["driver"]["why"]
