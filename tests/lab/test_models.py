"""Models on a real host: said no before the pull, pulled with one sentence for each failure, proven side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from ongpu_lab import faults
from ongpu_lab.faults.base import with_key
from ongpu_lab.lab import Lab
from tests.lab.fleets import Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

API = "http://127.0.0.1:11434"
SMALL, EMBEDDING, VISION = "llama3.2:1b", "nomic-embed-text", "llava:7b"
THREE: dict[str, Any] = {SMALL: {"context": 8192}, EMBEDDING: {}, VISION: {}}
KNOBS, GPUS = "/etc/ongpu-lab/ollama.ini", "/etc/ongpu-lab/gpus.ini"

Declare = Callable[..., Controller]


@pytest.fixture(scope="module")
def server(lab: Lab) -> Host:
    """lab3, blank: two cards of 24 GB."""
    host = Host(lab, "lab3")
    host.reset()
    return host


@pytest.fixture
def declare(server: Host, controller: Callable[..., Controller]) -> Iterator[Declare]:
    """`declare(models)`: a controller of lab3 with these models. Afterwards: no faults, both cards whole."""

    def made(models: Mapping[str, Any], **ollama: Any) -> Controller:
        own = {"release": "0.32.15", **ollama}
        return controller(fleet({"lab3": {"expect": {"gpus": 2}, "models": dict(models), "ollama": own}}))

    gpus, knobs = server.run(f"cat {GPUS}").stdout, server.run(f"cat {KNOBS}").stdout
    yield made
    for name, where in faults.active(server.lab):
        faults.clear(server.lab, name, where or None)
    write(server, KNOBS, knobs)
    if server.run(f"cat {GPUS}").stdout != gpus:
        write(server, GPUS, gpus)
        restart(server)


@pytest.fixture
def on(declare: Declare) -> Controller:
    """lab3 with the three models, proven."""
    made = declare(THREE)
    models = by_name(made.report("apply", "-y"))
    assert {name: model["verdict"] for name, model in models.items()} == dict.fromkeys(THREE, "verified")
    return made


def write(host: Host, path: str, text: str) -> None:
    host.lab.run(host.name, "sh", "-c", f"cat >{path}", stdin=text)


def knob(host: Host, path: str, section: str, key: str, value: str) -> None:
    write(host, path, with_key(host.run(f"cat {path}").stdout, section, key, value))


def restart(host: Host) -> None:
    host.out(f"systemctl restart ollama; until curl -sf {API}/api/version >/dev/null; do sleep 0.1; done")


def by_name(report: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in report["lab3"]["models"]}


def resident(host: Host) -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in json.loads(host.out(f"curl -sf {API}/api/ps"))["models"]}


def store(host: Host) -> set[str]:
    return {model["name"] for model in json.loads(host.out(f"curl -sf {API}/api/tags"))["models"]}


def load(host: Host, model: str, **body: Any) -> None:
    text = json.dumps({"model": model, **body})
    host.out(f"curl -sf --max-time 60 -d '{text}' {API}/api/generate >/dev/null")


def unload(host: Host) -> None:
    for model in resident(host):
        load(host, model, keep_alive=0)
    host.out(f"until curl -sf {API}/api/ps | grep -qF '[]'; do sleep 0.1; done", timeout=30)


def blocked(report: Mapping[str, dict[str, Any]]) -> str:
    (found,) = [change for change in report["lab3"]["changes"] if change["kind"] == "blocked"]
    return str(found["summary"])


def says(model: Mapping[str, Any], witness: str) -> str:
    return str(model["witnesses"][witness]["says"])


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


# -- before the pull -----------------------------------------------------------------------------------------


def test_a_model_that_never_fits_is_refused_with_numbers_before_its_pull(on: Controller, declare: Declare) -> None:
    huge = declare({"llama3.3:70b": {"context": 131072}})
    words = blocked(huge.report("plan", expect=2))
    assert words.startswith("llama3.3:70b cannot lie fully on the GPU: it needs ")
    assert "weights 39" in words
    assert "it would fit with" in words
    assert words.endswith("to go on anyway: --force")
    done = huge.report("apply", "-y", expect=2)["lab3"]
    assert done["summary"].endswith(words)
    forced = huge.report("plan", "--force", expect=2)["lab3"]["changes"]
    assert any(change["summary"] == "pull llama3.3:70b" for change in forced)


def test_one_that_fits_only_beside_nothing_else(on: Controller, declare: Declare) -> None:
    words = blocked(declare({"llama3.3:70b": {"context": 8192}, "qwen3:32b": {}}).report("plan", expect=2))
    assert "qwen3:32b cannot lie fully on the GPU" in words
    assert "beside llama3.3:70b (" in words
    assert "alone it fits" in words


def test_the_ways_in_which_a_model_cannot_be_had(on: Controller, declare: Declare, server: Host) -> None:
    before = store(server)
    words = blocked(declare({"no-such-model:1b": {}}).report("plan", expect=2))
    assert words == "the registry knows no model no-such-model:1b: check its name and its tag"
    pinned = declare({"qwen3:8b": {"digest": "sha256:" + "b" * 64}})
    assert "the inventory says sha256:bbbb" in blocked(pinned.report("plan", expect=2))
    faults.apply(server.lab, faults.find("registry-down"), None)
    down = declare({"qwen3:8b": {}})
    (pull,) = [c for c in down.report("plan", expect=2)["lab3"]["changes"] if c["resource"] == "models"]
    assert "cannot be foreseen: the registry does not answer: HTTP 503" in pull["diff"]
    faults.clear(server.lab, "registry-down")
    knob(server, KNOBS, "pull", "status", "412")
    failed = down.report("apply", "-y", expect=2)["lab3"]["summary"]
    assert "qwen3:8b needs a newer Ollama than 0.32.15: raise ollama.release" in failed
    assert store(server) == before, "nothing half-pulled is counted as present"


def test_a_cut_pull_goes_on(on: Controller, declare: Declare, server: Host) -> None:
    knob(server, KNOBS, "pull", "cut_after", "4000")
    assert declare({"qwen3:8b": {}}).ongpu("apply", "-y").returncode == 0
    assert "qwen3:8b" in store(server)


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
    one = declare({SMALL: {"context": 8192}})
    assert one.ongpu("apply", "-y").returncode == 0
    faults.apply(server.lab, faults.find(fault), "lab3")
    started = time.monotonic()
    model = by_name(one.report("verify", "--load", expect=2))[SMALL]
    witness, words = FALSE[fault]
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
