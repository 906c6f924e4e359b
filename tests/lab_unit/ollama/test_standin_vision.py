"""A model with a projector: where the projector goes, what it takes, and what `/api/ps` leaves out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from standin_bench import RTX_4060, Bench, Server

from ongpu_lab.ollama.catalogue import entries

RTX_3090 = RTX_4060 | {"name": "NVIDIA GeForce RTX 3090", "compute": [8, 6], "total_mib": 24576}
PROJECTOR_MIB = 595  # its weights; 624 MB as the public model lists them


@pytest.fixture
def llava(bench: Bench) -> Bench:
    bench.install(next(entry for entry in entries() if entry.model == "llava"))
    return bench


def _load(bench: Bench, options: dict[str, int] | None = None, **environment: str) -> Server:
    server = bench.serve(**environment)
    body = {"model": "llava:7b", "stream": False, "options": {"num_ctx": 4096, **(options or {})}}
    assert server.post("/api/generate", body).status == 200
    return server


def _held(bench: Bench) -> int:
    ((_, text),) = bench.held.items()
    return int(text.splitlines()[1].split()[1])


def test_large_card_takes_the_projector(llava: Bench) -> None:
    llava.gpus(RTX_3090)
    server = _load(llava)
    log = server.log()
    assert "clip_ctx: CLIP using CUDA0 backend" in log
    assert "--no-mmproj-offload" not in log
    assert re.search(r"will leave \d+ >= 1619 MiB of free device memory", log)
    (pid,) = llava.held
    assert b"LLAMA_ARG_FIT_TARGET=1619\0" in Path(f"/proc/{pid}/environ").read_bytes()
    (model,) = server.ps()
    assert model["size"] == model["size_vram"]
    assert _held(llava) - (model["size_vram"] >> 20) >= PROJECTOR_MIB  # its weights are in no line that Ollama counts


def test_up_to_ten_gibibytes_the_projector_stays_on_the_cpu_and_nothing_but_the_log_says_so(llava: Bench) -> None:
    server = _load(llava)
    log = server.log()
    assert 'msg="disabling multimodal projector offload" reason=limited-vram' in log
    assert re.search(r"--mmproj \S+ --no-mmproj-offload", log)
    assert "alloc_compute_meta:        CPU compute buffer size" in log
    (model,) = server.ps()
    assert model["size"] == model["size_vram"] > 0
    assert _held(llava) - (model["size_vram"] >> 20) < PROJECTOR_MIB


@pytest.mark.parametrize(("layers", "reason"), [(0, "cpu-only"), (10, "partial-text-offload")])
def test_fewer_layers_keep_the_projector_on_the_cpu(llava: Bench, layers: int, reason: str) -> None:
    llava.gpus(RTX_3090)
    assert f"reason={reason}" in _load(llava, {"num_gpu": layers}).log()


def test_the_users_margin_is_left_alone(llava: Bench) -> None:
    llava.gpus(RTX_3090)
    assert ">= 300 MiB of free device memory" in _load(llava, LLAMA_ARG_FIT_TARGET="300").log()


def test_context_is_at_least_2048(llava: Bench) -> None:
    server = _load(llava, {"num_ctx": 512})
    assert server.ps()[0]["context_length"] == 2048


def test_api_says_that_it_sees(llava: Bench) -> None:
    server = llava.serve()
    shown = server.post("/api/show", {"model": "llava:7b"}).json()
    assert shown["capabilities"] == ["completion", "vision"]
    assert shown["details"]["families"] == ["llama", "clip"]
    assert shown["projector_info"]["general.architecture"] == "clip"
    assert server.ask("GET", "/api/tags").json()["models"][0]["size"] == pytest.approx(4.73e9, rel=0.01)
