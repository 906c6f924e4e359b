"""Variables that nobody declared and that keep work off the GPUs."""

from __future__ import annotations

import pytest

from ongpu.host import paths
from ongpu.plan.movers import movers
from tests.plan.builders import configured_host, installed_by_script, planned, spec
from tests.plan.runs import run
from tests.plan.world import World

OTHER = f"{paths.DROP_IN_DIR}/90-x.conf"


def with_drop_in(**environment: str) -> World:
    host = configured_host()
    host.other_drop_ins[OTHER] = environment
    return host


def test_only_values_that_keep_work_off_the_gpus() -> None:
    environment = {
        "CUDA_VISIBLE_DEVICES": "-1",
        "OLLAMA_LLM_LIBRARY": "cpu_avx2",
        "LLAMA_ARG_CPU_MOE": "true",
        "LLAMA_ARG_N_GPU_LAYERS": "0",
        "PATH": "/usr/bin",
    }
    assert set(movers(environment)) == set(environment) - {"PATH"}
    assert not movers({"CUDA_VISIBLE_DEVICES": "GPU-1", "OLLAMA_LLM_LIBRARY": "cuda_v13", "LLAMA_ARG_CPU_MOE": "0"})


def test_a_drop_in_that_hides_the_gpus_is_named() -> None:
    host = with_drop_in(CUDA_VISIBLE_DEVICES="-1")
    (blocked,) = planned(host).of("override").blocked
    assert blocked.kind == "unsupported"
    assert blocked.why == f"CUDA_VISIBLE_DEVICES=-1 hides the GPUs; it is set by {OTHER}: remove it there"
    started = host.started
    assert "hides the GPUs" in run(host, spec())
    assert host.started == started


def test_every_file_that_can_set_it_is_named() -> None:
    host = installed_by_script()
    run(host, spec())
    host.other_drop_ins |= {OTHER: {"LLAMA_ARG_CPU_MOE": "1"}, f"{paths.DROP_IN_DIR}/10-y.conf": {}}
    (blocked,) = planned(host).of("override").blocked
    assert blocked.why == (
        f"LLAMA_ARG_CPU_MOE=1 keeps work off the GPUs; it is set by {paths.DROP_IN_DIR}/10-y.conf or {OTHER} or "
        f"{paths.UNIT_FILE}: remove it there"
    )


@pytest.mark.parametrize("value", ["GPU-1", "0"])
def test_harmless_values_are_none_of_our_business(value: str) -> None:
    host = with_drop_in(CUDA_VISIBLE_DEVICES=value)
    host.process = host.effective()
    assert planned(host).empty


def test_what_the_inventory_declares_is_meant() -> None:
    declared = spec(ollama={"env": {"LLAMA_ARG_CPU_MOE": "1"}})
    assert planned(configured_host(declared), declared).empty


def test_an_environment_file_that_hides_them_is_named() -> None:
    host = configured_host()
    host.environment_file = {"CUDA_VISIBLE_DEVICES": "-1"}
    host.process = host.effective() | host.environment_file
    (blocked,) = planned(host).of("restart").blocked
    assert blocked.why == (
        "CUDA_VISIBLE_DEVICES=-1 hides the GPUs; it is set by /etc/default/ollama: remove it there and restart the "
        "service"
    )
