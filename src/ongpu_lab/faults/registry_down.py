"""Ollama's model registry answers 503: models cannot be pulled."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

OF_LAB = True


def apply(target: Target) -> None:
    target.site_knob("registry.ollama.ai", "status", "503")


def clear(target: Target) -> None:
    target.site_knob("registry.ollama.ai", "status", None)
