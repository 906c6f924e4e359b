"""OLLAMA_LLM_LIBRARY=vulkan: Ollama uses the NVIDIA GPU through Vulkan instead of CUDA."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_NAME = "90-vulkan"


def apply(target: Target) -> None:
    _service.require(target)
    target.knob(_service.KNOBS, "discovery", "vulkan", "yes")
    _service.drop_in(target, _NAME, "OLLAMA_LLM_LIBRARY=vulkan OLLAMA_VULKAN=1")


def clear(target: Target) -> None:
    target.knob(_service.KNOBS, "discovery", "vulkan", None)
    _service.remove_drop_in(target, _NAME)
