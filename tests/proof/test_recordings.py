"""Recordings of a real server that says 100 % GPU: the true ones are verified, the false ones never."""

from __future__ import annotations

import pytest

from ongpu.host.reading import Known, Unreadable
from ongpu.host.result import ModelResult, Testimony
from ongpu.proof.case import Asked
from ongpu.proof.judge import judge
from tests.proof.scenes import MIB, Scene, recorded

HEALTHY = ("vk-baseline", "debug-minus1", "log-colors-on", "two-gpus-sched-spread", "second-model-does-not-fit")
LARGE = ("two-gpus-sched-spread", "second-model-does-not-fit")  # the others are smaller than a CUDA context
# recording: what its server was given, and what the log's objection is
FALSE = {
    "cpu-moe": ({"LLAMA_ARG_CPU_MOE": "1"}, "20 MiB of weights on the CPU"),
    "n-cpu-moe": ({"LLAMA_ARG_N_CPU_MOE": "3"}, "10 MiB of weights on the CPU"),
    "override-tensor": ({"LLAMA_ARG_OVERRIDE_TENSOR": r"blk\..*_exps.*=CPU"}, "20 MiB of weights on the CPU"),
    "kv-offload-0": ({"LLAMA_ARG_KV_OFFLOAD": "0"}, "12 MiB of KV cache on the CPU"),
    "no-kv-offload": ({"LLAMA_ARG_NO_KV_OFFLOAD": "1"}, "12 MiB of KV cache on the CPU"),
    "n-gpu-layers-env": ({"LLAMA_ARG_N_GPU_LAYERS": "3"}, "3 of 7 layers on GPU"),
    "device-none": ({"LLAMA_ARG_DEVICE": "none"}, "no weights on any GPU"),
    "main-full-draft-cpu": ({"LLAMA_ARG_N_GPU_LAYERS_DRAFT": "0"}, "0 of 7 layers on GPU"),
    "moe-fit-overflow": ({}, "18 layers of CUDA0 have their experts in RAM"),
    "num-parallel-4": ({}, "11 of 25 layers on GPU"),
}
WHOLE = ("cpu-moe", "n-cpu-moe", "override-tensor", "kv-offload-0", "no-kv-offload")  # here the API says 100 %


def by_name(result: ModelResult) -> dict[str, Testimony]:
    return {one.witness: one for one in result.testimonies}


@pytest.mark.parametrize("name", HEALTHY)
def test_fully_on_the_gpu_is_verified_by_all_who_can_tell(name: str) -> None:
    result = judge(recorded(name).case())
    agree = [one.witness for one in result.testimonies if one.says == "yes"]
    assert agree == ["api", "log", *(["driver"] if name in LARGE else []), "environment"]
    assert result.verdict == "verified"
    assert " on gpu1: fully on GPU 0 (" in result.summary
    assert result.summary.endswith(f"{'+'.join(agree)} agree)")
    assert result.gpus == (0,)
    assert result.size_bytes == result.gpu_bytes


@pytest.mark.parametrize("name", HEALTHY)
def test_the_same_on_vulkan_is_not(name: str) -> None:
    """Ollama falls back to Vulkan when CUDA is broken; here it is even a CPU that plays a GPU."""
    said = by_name(judge(recorded(name, cuda=False).case()))["log"]
    assert said.says == "no"
    assert "Vulkan0 (llvmpipe" in said.why


@pytest.mark.parametrize("name", FALSE)
def test_a_false_one_is_not_verified(name: str) -> None:
    environ, objection = FALSE[name]
    result = judge(recorded(name, environ=environ).case())
    said = by_name(result)
    assert result.verdict in ("not_verified", "disagreement")
    assert said["log"].says == "no"
    assert objection in said["log"].why
    assert said["log"].evidence
    if environ:
        assert said["environment"].says == "no"
        assert said["environment"].evidence[0].line == "=".join(next(iter(environ.items())))


@pytest.mark.parametrize("name", FALSE)
def test_the_log_alone_reveals_it(name: str) -> None:
    """The environment may not be read, the driver says nothing."""
    scene = recorded(name).but(environ=Unreadable("denied"), nvml=Unreadable("nvidia-smi hangs"))
    assert judge(scene.case()).verdict in ("not_verified", "disagreement")


@pytest.mark.parametrize("name", [name for name in FALSE if FALSE[name][0]])
def test_the_environment_alone_reveals_it(name: str) -> None:
    scene = recorded(name, environ=FALSE[name][0]).but(
        journal=Unreadable("denied"), nvml=Unreadable("nvidia-smi hangs")
    )
    result = judge(scene.case())
    assert result.verdict in ("not_verified", "disagreement")
    assert "environment" in result.summary


@pytest.mark.parametrize("name", FALSE)
def test_the_api_and_what_is_merely_not_suspicious_never_verify(name: str) -> None:
    scene = recorded(name).but(journal=Unreadable("denied"), nvml=Unreadable("nvidia-smi hangs"))
    assert judge(scene.case()).verdict != "verified"


@pytest.mark.parametrize("name", WHOLE)
def test_a_false_100_percent_is_a_disagreement_that_names_the_cause(name: str) -> None:
    environ, objection = FALSE[name]
    result = judge(recorded(name, environ=environ).case())
    variable, value = next(iter(environ.items()))
    assert result.verdict == "disagreement"
    assert "api says 100 % on GPU, log says" in result.summary
    assert objection in result.summary
    assert f"({variable}={value} in the runner's environment)" in result.summary


def test_partly_on_the_gpu_says_how_much() -> None:
    result = judge(recorded("num-parallel-4").case())
    assert result.summary.startswith("big:latest on gpu1 runs 56 % on CPU: 976 MiB of 2.1 GiB on GPU 0")


@pytest.mark.parametrize("name", ["quiet-vulkan", "quiet-cpu"])
def test_a_runner_whose_output_was_lost(name: str) -> None:
    """/api/ps then repeats the file's size as 100 % GPU, on a machine without any GPU too."""
    scene = recorded(name)
    assert scene.loaded[0].size_bytes == scene.loaded[0].size_vram_bytes
    said = by_name(judge(scene.case()))
    assert (said["api"].says, said["log"].says, said["driver"].says) == ("yes", "silent", "no")
    blind = judge(scene.but(nvml=Unreadable("nvidia-smi hangs")).case())
    assert blind.verdict == "unknown"
    assert "only the API+environment speak (log: the log shows no buffers" in blind.summary


def test_memory_that_lies_in_ram_though_the_log_says_gpu() -> None:
    """GGML_VK_PREFER_HOST_MEMORY and CUDA's unified memory: no line shows it."""
    scene = recorded("prefer-host-memory", environ={"GGML_VK_PREFER_HOST_MEMORY": "1"})
    assert by_name(judge(scene.case()))["log"].says == "yes"
    assert judge(scene.case()).verdict == "disagreement"
    unread = scene.but(environ=Unreadable("denied"), held=Known(3 * MIB, "nvidia-smi"))
    assert by_name(judge(unread.case()))["driver"].says == "no"
    assert judge(unread.case()).verdict == "disagreement"


@pytest.mark.parametrize("name", ["lowmem-real-oom", "kv-cache-type-invalid"])
def test_a_load_that_failed(name: str) -> None:
    words = "HTTP 500: llama-server process has terminated: exit status 1"
    scene = recorded(name).but(loaded=(), running=False, asked=Asked(outcome="failed", why=words))
    result = judge(scene.case())
    assert result.verdict == "not_verified"
    assert f"is not on the GPU: loading it failed: {words}" in result.summary


def test_a_runner_of_a_failed_load_is_no_proof() -> None:
    scene = recorded("lowmem-real-oom").but(port=38965)
    said = by_name(judge(scene.case()))["log"]
    assert said.says == "no"
    assert "its load failed" in said.why


def test_a_killed_runner_stays_in_the_api() -> None:
    result = judge(recorded("vk-baseline").but(running=False).case())
    assert by_name(result)["api"].says == "yes"
    assert by_name(result)["driver"].says == "no"
    assert result.verdict == "disagreement"
    assert "driver says no runner process of the service holds a model" in result.summary


def only(scene: Scene, *witnesses: str) -> ModelResult:
    """The scene with some of the witnesses' sources closed."""
    closed = {
        "log": {"journal": Unreadable("journal: denied")},
        "driver": {"nvml": Unreadable("nvidia-smi hangs")},
        "environment": {"environ": Unreadable("environ: denied")},
    }
    for name, change in closed.items():
        if name not in witnesses:
            scene = scene.but(**change)
    return judge(scene.case())


@pytest.mark.parametrize(
    ("open_sources", "verdict"),
    [
        ((), "unknown"),
        (("environment",), "unknown"),
        (("log",), "verified"),
        (("driver",), "verified"),
        (("log", "environment"), "verified"),
        (("log", "driver", "environment"), "verified"),
    ],
)
def test_which_sources_are_enough(open_sources: tuple[str, ...], verdict: str) -> None:
    assert only(recorded("two-gpus-sched-spread"), *open_sources).verdict == verdict


def test_only_the_api_is_said_so_with_every_reason() -> None:
    summary = only(recorded("vk-baseline")).summary
    assert summary == (
        "moe:latest on gpu1 cannot be proven: only the API speaks (log: journal: denied; driver: nvidia-smi hangs; "
        "environment: environ: denied; to allow it: run as root (sudo))"
    )
