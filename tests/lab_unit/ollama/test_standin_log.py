"""The log of a start and of loads, held against recorded ones: no invented line, and the lines that count in order."""

from __future__ import annotations

import json
import re

import pytest
from standin_bench import RTX_4060, Bench
from standin_models import big, moe, moe_big, tiny
from standin_recorded import RECORDINGS, log_lines, normalised

# Lines without a counterpart in the recordings, which come from a machine without CUDA, with other models and with
# GIN's debug mode; each is Ollama's or llama.cpp's wording by their sources.
OWN = re.compile(
    r"Couldn't find|Your new public key|^ssh-ed|updated VRAM|llama_model_loader: - kv|system_info:|"
    r"inference compute|server config|memory breakdown|common_memory_breakdown_print|with overflow to next"
)
# What a verifier reads, in the order of a load
MARKS = (
    "starting llama-server",
    "common_params_print_info",
    "projected to use",
    "using device",
    "offloaded",
    "model buffer size",
    "constructing llama_context",
    "KV buffer size",
    "compute buffer size",
    "graph splits",
    "model loaded",
    "llama-server started",
)
CPU_LINES = (
    '"inference compute" id=cpu',
    '"vram-based default context"',
    "disabling mmap",
    "CPU model buffer size",
    "CPU KV buffer size",
    "CPU compute buffer size",
    "graph splits",
    "of host memory vs.",
)


def _everything_recorded() -> set[str]:
    return {normalised(line) for path in (RECORDINGS / "logs").iterdir() for line in log_lines(path.name)}


def _marks(lines: list[str]) -> list[str]:
    found = [mark for line in lines for mark in MARKS if mark in line]
    return [mark for i, mark in enumerate(found) if i == 0 or found[i - 1] != mark]


def _small_gpu(bench: Bench) -> None:
    bench.gpus(RTX_4060 | {"total_mib": 2048, "used_mib": 0, "constant": True})


def test_no_line_is_invented(bench: Bench) -> None:
    _small_gpu(bench)
    bench.install(tiny(), big())
    server = bench.serve()
    server.post("/api/generate", {"model": "tiny", "stream": False})
    server.post("/api/generate", {"model": "tiny", "stream": False, "options": {"num_gpu": 3}})
    server.post("/api/generate", {"model": "big", "stream": False, "options": {"num_ctx": 32768}})
    server.stop()
    known = _everything_recorded()
    invented = {
        line for line in server.log().splitlines() if line and not OWN.search(line) and normalised(line) not in known
    }
    assert "\n".join(sorted(map(normalised, invented))) == ""


def test_lines_of_a_load_come_in_the_recorded_order(bench: Bench) -> None:
    _small_gpu(bench)
    bench.install(tiny(), big())
    server = bench.serve()
    seen = 0
    loads: list[tuple[str, str, dict[str, int]]] = [
        ("gpu-full.log", "tiny", {}),
        ("gpu-3-of-7.log", "tiny", {"num_gpu": 3}),
        ("gpu-fit-partial.log", "big", {"num_ctx": 32768}),
    ]
    for recording, model, options in loads:
        server.post("/api/generate", {"model": model, "stream": False, "options": options})
        lines = server.log().splitlines()
        assert _marks(lines[seen:]) == _marks(log_lines(recording))
        seen = len(lines)


def test_cpu_only_start_and_load(bench: Bench) -> None:
    bench.gpus(error="dlopen libcuda.so.1: libcuda.so.1: cannot open shared object file: No such file or directory")
    bench.install(tiny())
    server = bench.serve()
    server.post("/api/generate", {"model": "tiny", "stream": False})
    lines = [normalised(line) for line in server.log().splitlines()]
    recorded = [normalised(line) for line in log_lines("cpu.log")]
    for text in CPU_LINES:
        assert [line for line in lines if text in line] == [line for line in recorded if text in line][:1], text
    assert not [line for line in lines if "offloaded" in line]


def _facts(lines: list[str]) -> dict[str, list[str]]:
    """The buffers that count, with their sizes, and the layers."""
    text = "\n".join(line.replace("Vulkan", "CUDA") for line in lines)
    return {
        "offloaded": re.findall(r"offloaded (\d+/\d+)", text),
        "weights": re.findall(r"(\w+) model buffer size = +([\d.]+)", text),
        "kv": re.findall(r"(\w+) KV buffer size = +([\d.]+)", text),
        "overflowing": re.findall(r"\((\d+) overflowing\)", re.sub(r"\( +", "(", text)),
    }


LOADS = {
    "01-vk-baseline": ({}, "moe"),
    "02-cpu-moe": ({"LLAMA_ARG_CPU_MOE": "1"}, "moe"),
    "03-n-cpu-moe-3": ({"LLAMA_ARG_N_CPU_MOE": "3"}, "moe"),
    "04-override-tensor-moe-exps": ({"LLAMA_ARG_OVERRIDE_TENSOR": r"blk\\..*_exps.*=CPU"}, "moe"),
    "06-kv-offload-0": ({"LLAMA_ARG_KV_OFFLOAD": "0"}, "tiny"),
    "07-no-kv-offload-1": ({"LLAMA_ARG_NO_KV_OFFLOAD": "1"}, "tiny"),
    "08-n-gpu-layers-env-3": ({"LLAMA_ARG_N_GPU_LAYERS": "3"}, "tiny"),
    "09-device-none": ({"LLAMA_ARG_DEVICE": "none"}, "tiny"),
    "22-n-gpu-layers-env-0": ({"LLAMA_ARG_N_GPU_LAYERS": "0"}, "tiny"),
}


@pytest.mark.parametrize("scenario", LOADS)
def test_buffers_and_verdict_of_the_api_are_as_recorded(bench: Bench, scenario: str) -> None:
    """Where the real server falsely says 100 % GPU, so does the stand-in; and what reveals it is in the log."""
    environment, model = LOADS[scenario]
    _small_gpu(bench)
    bench.install(tiny(), moe())
    server = bench.serve(**environment)
    server.post("/api/generate", {"model": model, "stream": False})
    lines = server.log().splitlines()
    recorded = log_lines(f"{scenario}.log")
    assert _facts(lines) == _facts(recorded)
    splits = [line for line in lines if "graph splits" in line]
    assert splits == [line for line in recorded if "graph splits" in line]
    theirs = json.loads((RECORDINGS / f"false100/{scenario}.json").read_text())["models"][0]
    ours = server.ps()[0]
    assert (ours["size"] == ours["size_vram"]) == (theirs["size"] == theirs["size_vram"])
    assert ours["size"] == pytest.approx(theirs["size"], rel=0.12)
    assert ours["size_vram"] == pytest.approx(theirs["size_vram"], rel=0.12)


def test_experts_that_overflow_are_reported(bench: Bench) -> None:
    _small_gpu(bench)
    bench.install(moe_big())
    server = bench.serve()
    server.post("/api/generate", {"model": "moebig", "stream": False, "options": {"num_ctx": 2048}})
    facts = _facts(server.log().splitlines())
    recorded = _facts(log_lines("17-moe-fit-overflow.log"))
    assert facts["offloaded"] == recorded["offloaded"] == ["25/25"]
    assert abs(int(facts["overflowing"][-1]) - int(recorded["overflowing"][-1])) <= 1
    model = server.ps()[0]
    assert 0.3 < model["size_vram"] / model["size"] < 0.45  # recorded: 0.38


def test_lost_output_reads_as_file_size_with_a_warning(bench: Bench) -> None:
    bench.install(tiny())
    bench.knobs("[load]\nquiet = yes\n")
    server = bench.serve()
    server.post("/api/generate", {"model": "tiny", "stream": False})
    model = server.ps()[0]
    assert (
        model["size"]
        == model["size_vram"]
        == server.ask("GET", "/api/tags").json()["models"][0]["size"] - _small_layers(bench)
    )
    warning = next(line for line in log_lines("30-quiet-vulkan.log") if "VRAM tracking" in line)
    assert normalised(warning) in map(normalised, server.log().splitlines())


def _small_layers(bench: Bench) -> int:
    """Bytes of the layers beside the model's blob."""
    manifest = json.loads(next((bench.root / "store/manifests").rglob("latest")).read_text())
    others = [layer for layer in [manifest["config"], *manifest["layers"]] if not layer["mediaType"].endswith(".model")]
    return sum(layer["size"] for layer in others)
