"""The service's environment: what follows from the inventory, and contradictions in it."""

from __future__ import annotations

from typing import Any

import pytest

from ongpu.host import paths
from ongpu.host.gpu import PciGpu
from ongpu.plan.types import Plan
from tests.plan.builders import blank_host, configured_host, planned, spec
from tests.plan.world import GPU, RTX_4060, World, environment_of

SECOND = PciGpu(address="0000:02:00.0", device_id="0x2882", subsystem_id="", pci_class="0x030000", driver="nvidia")


def variables(plan: Plan) -> dict[str, str]:
    (change,) = plan.of("override").changes
    return environment_of(change.steps[0].content)  # type: ignore[union-attr]


def declared(host: World | None = None, **over: Any) -> dict[str, str]:
    return variables(planned(host or blank_host(), spec(**over)))


def refused(host: World | None = None, **over: Any) -> str:
    (blocked,) = planned(host or configured_host(), spec(**over)).of("override").blocked
    assert blocked.kind == "unsupported"
    return blocked.why


def test_what_follows_from_models_and_address() -> None:
    found = declared(
        ollama={"listen": "10.0.0.1:8080", "models_dir": "/data/models"},
        models={"a": {"context": 4096, "parallel": 2}, "b": {"context": 16384, "kv_cache_type": "q8_0"}},
    )
    assert (
        found.items()
        >= {
            "OLLAMA_HOST": "10.0.0.1:8080",
            "OLLAMA_MODELS": "/data/models",
            "OLLAMA_CONTEXT_LENGTH": "16384",
            "OLLAMA_NUM_PARALLEL": "2",
            "OLLAMA_KV_CACHE_TYPE": "q8_0",
            "OLLAMA_FLASH_ATTENTION": "1",
        }.items()
    )
    assert "CUDA_VISIBLE_DEVICES" not in found
    assert found["OLLAMA_VULKAN"] == "0"


def test_the_context_never_depends_on_the_memory_that_ollama_finds() -> None:
    assert declared(models={"llama3.1:8b": {"context": None}})["OLLAMA_CONTEXT_LENGTH"] == "4096"
    assert (
        declared(ollama={"env": {"OLLAMA_CONTEXT_LENGTH": 2048}}, models={"llama3.1:8b": {"context": None}})[
            "OLLAMA_CONTEXT_LENGTH"
        ]
        == "2048"
    )


@pytest.mark.parametrize("name", [GPU, "0000:01:00.0", "00000000:01:00.0", "01:00.0"])
def test_chosen_gpus_are_named_by_uuid_and_hidden_from_vulkan_too(name: str) -> None:
    found = declared(configured_host(), ollama={"gpus": [name]})
    assert (found["CUDA_VISIBLE_DEVICES"], found["OLLAMA_VULKAN"]) == (GPU, "0")


def test_several_gpus_keep_their_order() -> None:
    found = declared(configured_host(gpus=(RTX_4060, SECOND)), ollama={"gpus": ["02:00.0", "01:00.0"]})
    assert found["CUDA_VISIBLE_DEVICES"] == f"{GPU[:-2]}01,{GPU}"


def test_a_gpu_that_is_not_there_is_named_with_those_that_are() -> None:
    why = refused(ollama={"gpus": ["0000:41:00.0"]})
    assert why == f"ollama.gpus names 0000:41:00.0, which is not on this host (there: {GPU} at 0000:01:00.0)"


def test_addresses_can_only_be_looked_up_with_a_driver() -> None:
    (late,) = planned(blank_host(), spec(ollama={"gpus": ["01:00.0"]})).of("override").deferred
    assert late.why == "the GPUs can only be looked up after the driver is loaded"


def test_contradictions_name_both_sides() -> None:
    assert "ollama.env.OLLAMA_CONTEXT_LENGTH is 2048, but the largest `context`" in refused(
        ollama={"env": {"OLLAMA_CONTEXT_LENGTH": 2048}}
    )
    assert "`parallel` holds for the whole service, but the models differ (a: 1, b: 2)" in refused(
        models={"a": {"parallel": 1}, "b": {"parallel": 2}}
    )
    assert "the KV cache type q8_0 needs flash attention" in refused(
        ollama={"env": {"OLLAMA_FLASH_ATTENTION": False}}, models={"a": {"kv_cache_type": "q8_0"}}
    )
    assert "OLLAMA_CONTEXT_LENGTH is 0, which follows the VRAM" in refused(
        ollama={"env": {"OLLAMA_CONTEXT_LENGTH": 0}}, models={"llama3.1:8b": {"context": None}}
    )


def test_secrets_are_masked_in_what_is_shown_and_written_for_root_only() -> None:
    host, over = blank_host(), {"ollama": {"env": {"HF_TOKEN": "geheim"}}}
    (change,) = planned(host, spec(**over)).of("override").changes
    put = change.steps[0]
    assert put.mode == "0600"  # type: ignore[union-attr]
    assert "geheim" in put.content  # type: ignore[union-attr]
    assert "geheim" not in change.diff + change.summary
    host = configured_host(spec(**over))
    changed = planned(host, spec(ollama={"env": {"HF_TOKEN": "anders"}}))
    shown = "".join(part.diff + part.summary for part in changed.changes)
    assert "HF_TOKEN: another value (not shown)" in shown
    assert "geheim" not in shown
    assert "anders" not in shown
    assert host.files[paths.DROP_IN][1] == "0600"


def test_as_many_models_stay_loaded_as_are_declared() -> None:
    """Ollama's own limit is three for each GPU. With those of the builder, one model more."""
    three = {name: {"context": 4096} for name in "ab"}
    assert "OLLAMA_MAX_LOADED_MODELS" not in declared(models=three)
    five = {name: {"context": 4096} for name in "abcd"}
    assert declared(models=five)["OLLAMA_MAX_LOADED_MODELS"] == "5"
    assert "OLLAMA_MAX_LOADED_MODELS" not in declared(models=five, expect={"gpus": 2})
    own = declared(models=five, ollama={"env": {"OLLAMA_MAX_LOADED_MODELS": 9}})
    assert own["OLLAMA_MAX_LOADED_MODELS"] == "9"


def test_fewer_loaded_models_than_declared_ones_are_told_with_what_to_do() -> None:
    models = {name: {"context": 4096} for name in "ab"}
    plan = planned(blank_host(), spec(models=models, ollama={"env": {"OLLAMA_MAX_LOADED_MODELS": 1}}))
    (change,) = plan.of("override").changes
    assert "OLLAMA_MAX_LOADED_MODELS is 1, so 1 of the 3 declared models stays loaded" in change.summary
    assert "raise it to 3" in change.summary
    plan = planned(blank_host(), spec(models=models, ollama={"env": {"OLLAMA_MAX_LOADED_MODELS": 3}}))
    assert "MAX_LOADED" not in plan.of("override").changes[0].summary
