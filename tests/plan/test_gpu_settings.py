"""Variables that the host's GPUs decide about."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plan.builders import blank_host, configured_host, planned, spec

PLAIN = {"OLLAMA_FLASH_ATTENTION": None}


def why(capability: str, release: str = "0.32.15", env: dict[str, Any] = PLAIN, **over: Any) -> str:
    host = configured_host(spec(ollama={"env": PLAIN}), capability=capability)
    plan = planned(host, spec(ollama={"release": release, "env": PLAIN | env}, **over))
    return " ".join(blocked.why for blocked in plan.of("override").blocked)


@pytest.mark.parametrize(
    ("capability", "release", "env", "says"),
    [
        ("5.2", "0.32.15", {"OLLAMA_FLASH_ATTENTION": True}, "OLLAMA_FLASH_ATTENTION is true, which"),
        ("7.2", "0.32.15", {"OLLAMA_FLASH_ATTENTION": True}, "cannot do: delete the line"),
        ("12.1", "0.32.15", {"OLLAMA_IGPU_ENABLE": False}, "OLLAMA_IGPU_ENABLE is false, which drops"),
        ("8.9", "0.24.0", {"OLLAMA_GPU_OVERHEAD": 9 << 30}, "it counts bytes on each GPU"),
        ("8.9", "0.32.15", {"OLLAMA_VULKAN": True}, "Vulkan would take over what CUDA refuses"),
        ("6.1", "0.32.15", {"OLLAMA_LLM_LIBRARY": "cuda_v13"}, "not built for NVIDIA GeForce RTX 4060"),
        ("12.1", "0.32.15", {"OLLAMA_LLM_LIBRARY": "cuda_v12"}, "not built for"),
    ],
)
def test_what_the_gpus_cannot_do_is_said(capability: str, release: str, env: dict[str, Any], says: str) -> None:
    assert says in why(capability, release, env)
    assert why(capability, release) == ""


@pytest.mark.parametrize(
    ("capability", "release", "says"),
    [
        ("5.2", "0.32.15", "every load would fail: use f16"),
        ("6.1", "0.31.1", "declare OLLAMA_FLASH_ATTENTION: true, or Ollama 0.31.2 or newer"),
        ("6.1", "0.31.2", ""),
        ("8.9", "0.32.15", ""),
        ("5.2", "0.24.0", ""),  # ignored with a warning
    ],
)
def test_a_quantized_cache_without_flash_attention_is_blocked(capability: str, release: str, says: str) -> None:
    found = why(capability, release, models={"a": {"kv_cache_type": "q8_0"}})
    assert says in found
    assert bool(says) == bool(found)


def test_a_capability_that_nobody_could_read_is_not_judged() -> None:
    assert why("[N/A]", models={"a": {"kv_cache_type": "q8_0"}}) == ""


def test_a_jetsons_library_is_for_jetsons() -> None:
    declared = {"driver": {"manage": False}, "ollama": {"env": {"OLLAMA_LLM_LIBRARY": "cuda_jetpack6"}}}
    why = planned(configured_host(), spec(**declared)).of("override").blocked[0].why
    assert "OLLAMA_LLM_LIBRARY is cuda_jetpack6, which only a Jetson has" in why
    jetson = blank_host(kernel="5.15.148-tegra", arch="aarch64")
    assert not planned(jetson, spec(**declared)).of("override").blocked
