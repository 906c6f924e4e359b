"""What the server logs of its settings is what was declared, in whatever notation Go writes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu.host.ollama_log import server_config
from ongpu.plan.config_line import misread
from tests.plan.builders import configured_host, planned, spec

NAMES = ("OLLAMA_MAX_QUEUE", "OLLAMA_KEEP_ALIVE", "OLLAMA_MODELS")
LINE = (
    'time=2026-11-22T11:46:17.449Z level=INFO source=routes.go:1951 msg="server config" env="map[CUDA_VISIBLE_DEVICES: '
    "HTTPS_PROXY: LLAMA_ARG_FIT_TARGET: OLLAMA_CONTEXT_LENGTH:{context} OLLAMA_DEBUG:INFO OLLAMA_FLASH_ATTENTION:true "
    "OLLAMA_HOST:http://127.0.0.1:11434 OLLAMA_KEEP_ALIVE:5m0s OLLAMA_KV_CACHE_TYPE: OLLAMA_LOAD_TIMEOUT:5m0s "
    "OLLAMA_MAX_QUEUE:512 OLLAMA_MODELS:/srv/ollama/store OLLAMA_NUM_PARALLEL:1 "
    'OLLAMA_ORIGINS:[http://localhost https://localhost] OLLAMA_VULKAN:false http_proxy:]"'
)


@pytest.mark.parametrize(
    ("name", "declared", "taken"),
    [
        ("OLLAMA_FLASH_ATTENTION", "1", "true"),
        ("OLLAMA_VULKAN", "0", "false"),
        ("OLLAMA_IGPU_ENABLE", "1", "1"),
        ("OLLAMA_CONTEXT_LENGTH", "08192", "8192"),
        ("OLLAMA_KEEP_ALIVE", "24h", "24h0m0s"),
        ("OLLAMA_KEEP_ALIVE", "300", "5m0s"),
        ("OLLAMA_KEEP_ALIVE", "1.5h", "1h30m0s"),
        ("OLLAMA_KEEP_ALIVE", "-1", "2562047h47m16.854775807s"),
        ("OLLAMA_KEEP_ALIVE", "0", "0s"),
        ("OLLAMA_LOAD_TIMEOUT", "0", "2562047h47m16.854775807s"),
        ("OLLAMA_HOST", "127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("OLLAMA_HOST", "[::1]:11434", "http://[::1]:11434"),
        ("OLLAMA_DEBUG", "1", "DEBUG"),
        ("OLLAMA_DEBUG", "2", "DEBUG-4"),
        ("OLLAMA_DEBUG", "1", "true"),
        ("OLLAMA_KV_CACHE_TYPE", "Q8_0", "q8_0"),
        ("OLLAMA_ORIGINS", "http://a", "[http://a http://localhost]"),
        ("HTTPS_PROXY", "http://user:secret@proxy", ""),
    ],
)
def test_the_same_in_gos_notation(name: str, declared: str, taken: str) -> None:
    assert misread({name: declared}, {name: taken}) == []


@pytest.mark.parametrize(
    ("name", "declared", "taken"),
    [
        ("OLLAMA_FLASH_ATTENTION", "1", "false"),
        ("OLLAMA_VULKAN", "0", "true"),
        ("OLLAMA_NUM_PARALLEL", "4", "1"),
        ("OLLAMA_KEEP_ALIVE", "24h", "5m0s"),
        ("OLLAMA_KEEP_ALIVE", "-1", "5m0s"),
        ("OLLAMA_KEEP_ALIVE", "5m", "2562047h47m16.854775807s"),
        ("OLLAMA_HOST", "127.0.0.1:8080", "http://127.0.0.1:11434"),
        ("OLLAMA_DEBUG", "1", "INFO"),
        ("OLLAMA_MODELS", "/srv/models", "/srv/ollama/store"),
        ("CUDA_VISIBLE_DEVICES", "GPU-1", ""),
    ],
)
def test_another_value_is_named_with_both(name: str, declared: str, taken: str) -> None:
    (said,) = misread({name: declared}, {name: taken})
    assert said == f"{name} is declared as {declared}, but the running Ollama took it for {taken or 'nothing'}"


def test_what_the_line_does_not_name_is_not_judged() -> None:
    assert misread({"LLAMA_ARG_FIT_TARGET": "2048", "OLLAMA_NEWEST": "1"}, {}) == []


def test_a_service_that_took_something_else_is_no_reason_for_another_restart() -> None:
    host = configured_host()
    host.journal = (LINE.format(context=8192),)
    assert planned(host, spec(ollama={"env": {}})).empty
    host.journal = (LINE.format(context=4096),)
    (blocked,) = planned(host).of("restart").blocked
    assert blocked.kind == "unsupported"
    assert blocked.why.startswith(
        "OLLAMA_CONTEXT_LENGTH is declared as 8192, but the running Ollama took it for 4096 (its log"
    )
    different = planned(host, spec(models={"llama3.1:8b": {"context": 16384}}))
    assert different.of("restart").changes, "a process that was given something else is restarted first"


def test_recorded_servers_took_what_they_were_given() -> None:
    recorded = Path(__file__).parents[1] / "recordings"
    lines = [
        line
        for file in sorted(recorded.rglob("*"))
        if file.is_file() and file.stat().st_size < 4_000_000
        for line in file.read_text(errors="replace").splitlines()
        if 'msg="server config" env="map[' in line and "OLLAMA_HOST:" in line
    ]
    configs = [config for line in lines if {"OLLAMA_NOPRUNE", *NAMES} <= (config := server_config([line])).keys()]
    assert len(configs) > 3
    for config in configs:
        given = {name: config[name] for name in NAMES}
        given["OLLAMA_NOPRUNE"] = {"true": "1", "false": "0"}[config["OLLAMA_NOPRUNE"]]
        given["OLLAMA_HOST"] = config["OLLAMA_HOST"].removeprefix("http://")
        assert misread(given, config) == []
        assert len(misread(dict.fromkeys(given, "3"), config)) == len(given)


@given(st.dictionaries(st.sampled_from(["OLLAMA_KEEP_ALIVE", "OLLAMA_DEBUG", "OLLAMA_MAX_QUEUE", "X"]), st.text()))
def test_any_line_is_read(line: dict[str, str]) -> None:
    for said in misread(dict.fromkeys(line, "1"), line):
        assert said.partition(" ")[0] in line
