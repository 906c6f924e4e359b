"""The sections, in the order in which they run. Adding one: a file here and its field in HostSnapshot."""

from __future__ import annotations

from importlib import import_module

from ongpu.probe.section import Section

# Cheap and certain first; what can hang (nvidia-smi, the API) late, so that a cut-off look still says much.
ORDER = (
    "system",
    "pci",
    "module",
    "secure_boot",
    "kernels",
    "modprobe",
    "use",
    "libraries",
    "platform",
    "fabric",
    "nodes",
    "packages",
    "installers",
    "files",
    "ollama",
    "service",
    "watch",
    "kernel_log",
    "journal",
    "api",
    "nvml",
    "cuda",
)


def all_sections() -> tuple[Section, ...]:
    """Every section, in ORDER."""
    return tuple(import_module(f"{__name__}.{name}").SECTION for name in ORDER)
