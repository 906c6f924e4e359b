"""What is loaded where and for how long: memory, eviction, contexts, keep_alive."""

from __future__ import annotations

import re
import time
from datetime import datetime

import pytest
from standin_bench import RTX_4060, Bench, until
from standin_models import big, llama_8b, tiny

SECOND = RTX_4060 | {"pci_id": "0000:02:00.0", "uuid": "GPU-22222222-2222-3333-4444-555555555555"}


def test_llama_8b_fits_an_rtx_4060(bench: Bench) -> None:
    bench.install(llama_8b())
    server = bench.serve()
    server.post("/api/generate", {"model": "llama3.1:8b", "stream": False})
    log = server.log()
    assert "CUDA0 model buffer size =  4403.49 MiB" in log  # as in public CUDA logs of this model
    assert "CPU_Mapped model buffer size =   281.81 MiB" in log
    assert "offloaded 33/33 layers to GPU" in log
    (model,) = server.ps()
    assert model["size"] == model["size_vram"]
    ((_, text),) = bench.held.items()
    held = int(text.splitlines()[1].split()[1])
    assert model["size_vram"] >> 20 <= held <= (model["size_vram"] >> 20) + 400


def test_a_large_context_moves_layers_to_the_cpu(bench: Bench) -> None:
    bench.install(llama_8b())
    server = bench.serve()
    server.post("/api/generate", {"model": "llama3.1:8b", "stream": False, "options": {"num_ctx": 32768}})
    (model,) = server.ps()
    assert 0 < model["size_vram"] < model["size"]
    assert "cannot meet free memory target of 1024 MiB" in server.log()
    assert "offloaded 33/33" not in server.log()


def test_other_processes_on_the_gpu_leave_less_room(bench: Bench) -> None:
    bench.install(llama_8b())
    bench.gpus(RTX_4060 | {"used_mib": 4000})
    server = bench.serve()
    server.post("/api/generate", {"model": "llama3.1:8b", "stream": False})
    assert server.ps()[0]["size_vram"] < server.ps()[0]["size"]


def test_forced_layers_that_do_not_fit_end_the_runner(bench: Bench) -> None:
    bench.install(llama_8b())
    bench.gpus(RTX_4060 | {"used_mib": 4000})
    server = bench.serve()
    reply = server.post("/api/generate", {"model": "llama3.1:8b", "stream": False, "options": {"num_gpu": 999}})
    assert reply.status == 500
    assert reply.json()["error"].startswith(
        "llama-server process has terminated: exit status 1: cudaMalloc failed: out of memory"
    )
    assert "n_gpu_layers already set by user to 999, abort" in server.log()
    assert server.ps() == []
    assert bench.held == {}


@pytest.mark.parametrize(
    ("environment", "error"),
    [
        ({"OLLAMA_KV_CACHE_TYPE": "foo"}, "exit status 1"),
        (
            {"OLLAMA_KV_CACHE_TYPE": "q8_0", "OLLAMA_FLASH_ATTENTION": "0"},
            "exit status 1: llama_init_from_model: quantized V cache requires flash_attn to be enabled\n"
            "llama_init_from_model: quantized V cache requires flash_attn to be enabled",
        ),
    ],
)
def test_impossible_cache_types_fail_at_the_load(bench: Bench, environment: dict[str, str], error: str) -> None:
    """The recorded answers of cpu/12-kv-cache-type-invalid and cpu/14-kv-cache-q8_0-fa0."""
    bench.install(tiny())
    server = bench.serve(**environment)
    reply = server.post("/api/generate", {"model": "tiny", "stream": False})
    assert (reply.status, reply.json()) == (500, {"error": f"llama-server process has terminated: {error}"})
    assert server.ps() == []


def test_second_model_evicts_the_first_when_it_is_predicted_not_to_fit(bench: Bench) -> None:
    bench.gpus(RTX_4060 | {"total_mib": 2048, "used_mib": 0})
    bench.install(big("first"), big("second"), tiny())
    server = bench.serve()
    server.post("/api/generate", {"model": "first", "stream": False})
    server.post("/api/generate", {"model": "tiny", "stream": False, "options": {"num_gpu": 0}})
    assert {model["name"] for model in server.ps()} == {"first:latest", "tiny:latest"}
    server.post("/api/generate", {"model": "tiny", "stream": False, "options": {"num_ctx": 2048}})
    assert 'msg="llama-server model fits alongside existing models"' in server.log()


def test_eviction_as_recorded(bench: Bench) -> None:
    """vulkan/28-second-model-does-not-fit: after the second load only the second is listed."""
    bench.gpus(RTX_4060 | {"total_mib": 2048, "used_mib": 0})
    other = big("big2")
    bench.install(big(), other)
    blob = next((bench.root / "store/manifests").rglob("big2/latest"))
    assert blob.exists()
    server = bench.serve(OLLAMA_MAX_LOADED_MODELS="1")
    server.post("/api/generate", {"model": "big", "stream": False})
    server.post("/api/generate", {"model": "big", "stream": False, "options": {"num_ctx": 16384}})
    assert [model["context_length"] for model in server.ps()] == [16384]
    assert len(bench.held) == 1


@pytest.mark.parametrize(
    ("environment", "options", "context", "arguments"),
    [
        ({}, {}, 4096, "-c 4096 -np 1"),
        ({"OLLAMA_CONTEXT_LENGTH": "2048"}, {}, 2048, "-c 2048 -np 1"),
        ({"OLLAMA_CONTEXT_LENGTH": "2048"}, {"num_ctx": 1024}, 1024, "-c 1024 -np 1"),
        ({"OLLAMA_CONTEXT_LENGTH": "1000000"}, {}, 4096, "-c 4096 -np 1"),  # the trained context
        ({"OLLAMA_NUM_PARALLEL": "4"}, {}, 4096, "-c 16384 -np 4"),
    ],
)
def test_context(
    bench: Bench, environment: dict[str, str], options: dict[str, int], context: int, arguments: str
) -> None:
    bench.install(tiny())
    server = bench.serve(**environment)
    server.post("/api/generate", {"model": "tiny", "stream": False, "options": options})
    assert server.ps()[0]["context_length"] == context
    assert f" {arguments} " in server.log()


@pytest.mark.parametrize(("gpus", "tier"), [(1, 4096), (3, 32768), (6, 262144)])
def test_default_context_follows_the_sum_of_memory(bench: Bench, gpus: int, tier: int) -> None:
    many = [RTX_4060 | {"pci_id": f"0000:0{i}:00.0", "uuid": f"GPU-{i}"} for i in range(gpus)]
    bench.gpus(*many)
    assert f"default_num_ctx={tier}" in bench.serve().log()


def test_overhead_above_the_memory_wraps_around(bench: Bench) -> None:
    log = bench.serve(OLLAMA_GPU_OVERHEAD=str(100 << 30)).log()
    assert re.search(r'total_vram="171798690\d\d\.\d GiB" default_num_ctx=262144', log)


def test_two_gpus_one_is_enough(bench: Bench) -> None:
    bench.gpus(RTX_4060 | {"used_mib": 3000}, SECOND)
    bench.install(tiny())
    server = bench.serve()
    server.post("/api/generate", {"model": "tiny", "stream": False})
    log = server.log()
    assert 'msg="selecting single GPU for llama-server model" main_gpu=0' in log
    assert "--split-mode none --main-gpu 0" in log
    ((_, text),) = bench.held.items()
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["1"]  # the one with more free memory


def test_two_gpus_spread_as_recorded(bench: Bench) -> None:
    """vulkan/27-two-gpus-sched-spread: weights and cache split 13:12, pipeline parallel, three splits."""
    bench.gpus(*(gpu | {"total_mib": 2048, "used_mib": 0} for gpu in (RTX_4060, SECOND)))
    bench.install(big())
    server = bench.serve(OLLAMA_SCHED_SPREAD="1")
    server.post("/api/generate", {"model": "big", "stream": False})
    log = server.log()
    for line in (
        "load_tensors:        CUDA0 model buffer size =   292.60 MiB",
        "load_tensors:        CUDA1 model buffer size =   248.03 MiB",
        "llama_kv_cache:      CUDA0 KV buffer size =   208.00 MiB",
        "llama_kv_cache:      CUDA1 KV buffer size =   176.00 MiB",
        "llama_context: pipeline parallelism enabled",
        "sched_reserve: graph splits = 3",
        "-b 1024 -ub 1024",
    ):
        assert line in log
    ((_, text),) = bench.held.items()
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["0", "1"]


def _left(bench_model: dict[str, str]) -> float:
    moment = re.sub(r"\.\d+Z$", "+00:00", bench_model["expires_at"])
    return datetime.fromisoformat(moment).timestamp() - time.time()


def test_keep_alive(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve(OLLAMA_KEEP_ALIVE="1h")
    server.post("/api/generate", {"model": "tiny", "stream": False})
    assert 3590 < _left(server.ps()[0]) <= 3600
    server.post("/api/generate", {"model": "tiny", "stream": False, "keep_alive": "10m"})
    assert 590 < _left(server.ps()[0]) <= 600
    server.post("/api/generate", {"model": "tiny", "stream": False})
    assert 590 < _left(server.ps()[0]) <= 600  # the duration of the earlier request stays
    server.post("/api/generate", {"model": "tiny", "stream": False, "keep_alive": -1})
    assert server.ps()[0]["expires_at"].startswith("23")
    server.post("/api/generate", {"model": "tiny", "stream": False, "keep_alive": 0.2})
    until(lambda: server.ps() == [], "the end of the model's time")
    until(lambda: bench.held == {}, "the memory being free again")


def test_changed_options_reload_and_equal_ones_do_not(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve()
    server.post("/api/generate", {"model": "tiny", "stream": False, "options": {"num_gpu": 999}})
    server.post("/api/generate", {"model": "tiny", "stream": False})
    assert server.log().count("starting llama-server") == 1
    server.post("/api/generate", {"model": "tiny", "stream": False, "options": {"num_ctx": 2048}})
    assert server.log().count("starting llama-server") == 2


def test_crash_of_a_load(bench: Bench) -> None:
    bench.install(tiny())
    bench.knobs("[load]\ncrash = 3\ncrash_message = CUDA error: an illegal memory access was encountered\n")
    server = bench.serve()
    reply = server.post("/api/generate", {"model": "tiny", "stream": False})
    terminated = "llama-server process has terminated: exit status 3"
    assert reply.json() == {"error": f"{terminated}: CUDA error: an illegal memory access was encountered"}


def test_runner_that_moves_to_the_cpu_silently_holds_nothing(bench: Bench) -> None:
    bench.install(tiny())
    bench.knobs("[load]\nsilent_cpu = yes\n")
    server = bench.serve()
    server.post("/api/generate", {"model": "tiny", "stream": False})
    assert server.ps()[0]["size"] == server.ps()[0]["size_vram"] > 0
    assert bench.held == {}


def test_work_on_the_cpu_is_slower(bench: Bench) -> None:
    bench.install(llama_8b())
    server = bench.serve()
    rates = []
    for layers in (33, 16, 0):
        body = {
            "model": "llama3.1:8b",
            "stream": False,
            "prompt": "x",
            "options": {"num_predict": 32, "num_gpu": layers},
        }
        reply = server.post("/api/generate", body).json()
        assert (reply["eval_count"], reply["done_reason"]) == (32, "length")
        rates.append(reply["eval_count"] / reply["eval_duration"] * 1e9)
    assert 30 < rates[0] < 80  # an RTX 4060 gives about 40 tokens/s with this model
    assert rates[0] > 2 * rates[1] > 2 * rates[2] > 0


def test_same_seed_same_text(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve()
    body = {"model": "tiny", "stream": False, "prompt": "x", "options": {"temperature": 0, "num_predict": 8}}
    first, second = (server.post("/api/generate", body).json()["response"] for _ in range(2))
    assert first == second
    one = server.post("/api/generate", body | {"options": {"num_predict": 1}}).json()
    assert one["eval_duration"] == 1000  # recorded: one token takes no time
