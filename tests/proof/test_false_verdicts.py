"""Every recorded way to a false 100 % GPU, judged from all of its evidence: what its server was started with, its log,
its /api/ps.

What is expected was written from the experiments' table of what each server really did, before the code was run: what
ran on the GPU is verified, whatever the log looks like; nothing else ever is.
"""

from __future__ import annotations

import pytest

from ongpu.host.reading import Unreadable
from ongpu.proof.judge import judge
from tests.proof.scenes import recorded

# recording: (variables of its server, fully on the GPU?)
SCENARIOS: dict[str, tuple[dict[str, str], bool]] = {
    "vk-baseline": ({}, True),
    "cpu-moe": ({"LLAMA_ARG_CPU_MOE": "1"}, False),
    "n-cpu-moe": ({"LLAMA_ARG_N_CPU_MOE": "3"}, False),
    "override-tensor": ({"LLAMA_ARG_OVERRIDE_TENSOR": r"blk\..*_exps.*=CPU"}, False),
    "kv-offload-0": ({"LLAMA_ARG_KV_OFFLOAD": "0"}, False),
    "no-kv-offload": ({"LLAMA_ARG_NO_KV_OFFLOAD": "1"}, False),
    "n-gpu-layers-env": ({"LLAMA_ARG_N_GPU_LAYERS": "3"}, False),
    "device-none": ({"LLAMA_ARG_DEVICE": "none"}, False),
    "debug-minus1": ({"OLLAMA_DEBUG": "-1"}, True),
    "debug-minus2": ({"OLLAMA_DEBUG": "-2"}, True),
    "log-verbosity-env-0": ({"LLAMA_ARG_LOG_VERBOSITY": "0", "LLAMA_LOG_VERBOSITY": "0"}, True),
    "log-file": ({"LLAMA_ARG_LOG_FILE": "/tmp/llama.log", "LLAMA_LOG_FILE": "/tmp/llama2.log"}, True),
    "log-colors-on": ({"LLAMA_ARG_LOG_COLORS": "on"}, True),
    "log-colors-device-none": ({"LLAMA_ARG_LOG_COLORS": "on", "LLAMA_ARG_DEVICE": "none"}, False),
    "log-prefix-timestamps": ({"LLAMA_ARG_LOG_PREFIX": "1", "LLAMA_ARG_LOG_TIMESTAMPS": "1"}, True),
    "moe-fit-overflow": ({}, False),
    "moe-fit-target": ({"LLAMA_ARG_FIT_TARGET": "2020"}, False),
    "main-full-draft-cpu": (
        {
            "LLAMA_ARG_SPEC_DRAFT_MODEL": "/srv/ollama/models-src/tiny.gguf",
            "LLAMA_ARG_SPEC_TYPE": "draft-simple",
            "LLAMA_ARG_N_GPU_LAYERS_DRAFT": "0",
        },
        False,
    ),
    "num-gpu-0-request": ({}, False),
    "n-gpu-layers-env-0": ({"LLAMA_ARG_N_GPU_LAYERS": "0"}, False),
    "prefer-host-memory": ({"GGML_VK_PREFER_HOST_MEMORY": "1"}, False),
    "quiet-vulkan": ({}, False),
    "quiet-cpu": ({"OLLAMA_VULKAN": "0"}, False),
    "quiet-debug": ({"OLLAMA_DEBUG": "1"}, False),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_recorded_scenario_gets_the_right_verdict(name: str) -> None:
    environ, on_gpu = SCENARIOS[name]
    result = judge(recorded(name, environ=environ).case())
    assert (result.verdict == "verified") == on_gpu, result.summary


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_false_one_stays_false_with_every_source_closed_in_turn(name: str) -> None:
    """The driver of these scenes holds what the log says, so for a lost log it is the only one that knows."""
    environ, on_gpu = SCENARIOS[name]
    if on_gpu:
        return
    scene = recorded(name, environ=environ)
    closed = {
        "journal": Unreadable("journal: denied"),
        "nvml": Unreadable("nvidia-smi hangs"),
        "environ": Unreadable("environ: denied"),
    }
    for one in closed:
        if name == "prefer-host-memory" and one == "environ":
            continue  # only its environment, or a driver that sees less, can tell (see test_recordings)
        result = judge(scene.but(**{one: closed[one]}).case())
        assert result.verdict != "verified", f"without {one}: {result.summary}"
