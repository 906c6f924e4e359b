"""The proof on the stand-in, with the real scripts: the load script, and the probe's sections about API and service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from standin_bench import RTX_4060, Bench, Server
from standin_models import big, llama_8b, moe, moe_big, tiny
from tests.probe.shells import run, tool
from tests.proof.scenes import MIB, gpu, nvml

from ongpu.engine.proving import first_turn, load_script, next_turn
from ongpu.engine.proving import testimony as verdicts
from ongpu.engine.turns import Turn
from ongpu.host.gpu import GpuProcess
from ongpu.host.ollama import Journal
from ongpu.host.reading import Known
from ongpu.host.result import ModelResult
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe.decode import decode
from ongpu.probe.script import build
from ongpu.probe.sections import api, service
from ongpu.spec import from_data

SHELL = ("sh",)
UUID = str(RTX_4060["uuid"])


def look(bench: Bench, server: Server, tools: Path) -> HostSnapshot:
    sections = (service.SECTION, api.SECTION)
    seen = decode(run(SHELL, build(sections), tools), sections)
    own = tuple(
        GpuProcess(pid=pid, name="llama-server", gpu_uuid=UUID, used_bytes=Known(_mib(text) * MIB, "held"))
        for pid, text in bench.held.items()
    )
    used = sum(process.used_bytes.value for process in own if isinstance(process.used_bytes, Known))
    log = Journal(lines=tuple(server.log().split("\n")), truncated=False, suppressed=0)
    return replace(seen, journal=Known(log, "log"), nvml=Known(nvml((gpu(0, UUID, used),), own), "nvidia-smi"))


def _mib(text: str) -> int:
    return sum(int(line.split()[1]) for line in text.splitlines()[1:])


def prove(
    bench: Bench,
    server: Server,
    models: dict[str, Any],
    load: bool = True,
    meanwhile: Callable[[], object] = lambda: None,
) -> dict[str, ModelResult]:
    """`meanwhile` happens between two turns."""
    tools = bench.root / "tools"
    tool(
        tools,
        "systemctl",
        f"echo LoadState=loaded; echo ActiveState=active; echo MainPID={server.process.pid}\n"
        f"echo Environment=OLLAMA_HOST=127.0.0.1:{server.port}",
    )
    spec = from_data({"name": "lab1", "ollama": {"release": "0.32.15"}, "models": models})
    before = look(bench, server, tools)
    turn: Turn | None = first_turn(spec)
    found: dict[str, ModelResult] = {}
    while turn:
        answer = run(SHELL, load_script(spec, before, load, turn), tools)
        found |= {one.name: one for one in verdicts(turn.models, look(bench, server, tools), answer)}
        meanwhile()
        turn = next_turn(turn, spec, before, answer)
    return found


def says(result: ModelResult, what: str) -> list[str]:
    return [one.witness for one in result.testimonies if one.says == what]


def test_a_model_that_fits_is_proven_by_four(bench: Bench) -> None:
    bench.install(llama_8b())
    server = bench.serve()
    asleep = prove(bench, server, {"llama3.1:8b": {}}, load=False)["llama3.1:8b"]
    assert asleep.verdict == "unknown"
    assert server.ps() == []
    result = prove(bench, server, {"llama3.1:8b": {"context": 4096}})["llama3.1:8b"]
    assert result.verdict == "verified", result
    assert says(result, "yes") == ["api", "log", "driver", "environment"]
    assert (result.context_length, result.gpus) == (4096, (0,))
    assert result.tokens_per_second is not None
    assert result.tokens_per_second > 0
    assert prove(bench, server, {"llama3.1:8b": {}}, load=False)["llama3.1:8b"].verdict == "verified"


@pytest.mark.parametrize(
    ("name", "value", "model"),
    [
        ("LLAMA_ARG_CPU_MOE", "1", "moe"),
        ("LLAMA_ARG_OVERRIDE_TENSOR", "exps=CPU", "moe"),
        ("LLAMA_ARG_NO_KV_OFFLOAD", "1", "tiny"),
    ],
)
def test_a_false_100_percent_is_found_with_its_cause(bench: Bench, name: str, value: str, model: str) -> None:
    bench.install(tiny(), moe())
    server = bench.serve(**{name: value})
    result = prove(bench, server, {model: {}})[model]
    (listed,) = server.ps()
    assert listed["size"] == listed["size_vram"]
    assert result.verdict == "disagreement"
    assert "api says 100 % on GPU, log says" in result.summary
    assert f"{name}={value}" in result.summary


def test_a_model_that_does_not_fit(bench: Bench) -> None:
    bench.gpus(RTX_4060 | {"total_mib": 2048, "used_mib": 0})
    bench.install(moe_big())
    server = bench.serve()
    result = prove(bench, server, {"moebig": {}})["moebig"]
    assert result.verdict == "not_verified"
    assert "% on CPU" in result.summary
    assert set(says(result, "no")) >= {"api", "log"}


def test_where_fewer_may_be_loaded_than_are_declared_each_is_proven_in_its_turn(bench: Bench) -> None:
    bench.install(llama_8b(), big(), tiny())
    server = bench.serve(OLLAMA_MAX_LOADED_MODELS="1")
    results = prove(bench, server, {"llama3.1:8b": {}, "big": {}, "tiny": {}})
    assert {name: result.verdict for name, result in results.items()} == dict.fromkeys(results, "verified")
    assert len(results) == 3
    assert [model["name"] for model in server.ps()] == ["tiny:latest"]


def test_a_model_that_somebody_uses_meanwhile_gives_way_to_no_turn(bench: Bench) -> None:
    bench.install(llama_8b(), big())
    server = bench.serve(OLLAMA_MAX_LOADED_MODELS="1")

    def use() -> None:
        server.post("/api/generate", {"model": "llama3.1:8b", "stream": False})

    results = prove(bench, server, {"llama3.1:8b": {}, "big": {}}, meanwhile=use)
    assert results["llama3.1:8b"].verdict == "verified"
    assert results["big"].verdict == "unknown"
    assert "loading it would evict llama3.1:8b" in results["big"].summary
    assert [model["name"] for model in server.ps()] == ["llama3.1:8b"]


def test_a_model_that_would_evict_another_is_not_loaded(bench: Bench) -> None:
    bench.install(llama_8b(), big())
    server = bench.serve(OLLAMA_MAX_LOADED_MODELS="1")
    server.post("/api/generate", {"model": "llama3.1:8b", "stream": False})
    results = prove(bench, server, {"llama3.1:8b": {}, "big": {}, "missing:1b": {}})
    assert results["llama3.1:8b"].verdict == "verified"
    assert results["big"].verdict == "unknown"
    assert "loading it would evict llama3.1:8b: Ollama keeps at most 1 models" in results["big"].summary
    assert results["missing:1b"].verdict == "not_verified"
    assert "missing:1b is not in the store" in results["missing:1b"].summary
    assert [model["name"] for model in server.ps()] == ["llama3.1:8b"]


def test_a_load_that_the_server_refuses(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve(OLLAMA_KV_CACHE_TYPE="foo")
    result = prove(bench, server, {"tiny": {}})["tiny"]
    assert result.verdict == "not_verified"
    assert "loading it failed: HTTP 500: llama-server process has terminated" in result.summary
