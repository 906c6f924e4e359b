"""Hosts that ongpu can manage at all, and words for those that it cannot."""

from __future__ import annotations

import re

from ongpu.host.reading import value_or_none
from ongpu.host.system import System
from ongpu.plan.context import Context, Halt, known

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # uname -m -> Ollama's and Debian's word


def system_of(context: Context) -> System:
    """The host's system section. Raises Halt for a host that is not read or not supported."""
    system = known(context.snapshot.system, "what this host is")
    if value_or_none(system.virtualization) == "wsl":
        raise Halt("unsupported", "this is WSL: its driver belongs to Windows and cannot be managed from here")
    if is_jetson(system) and context.spec.driver.manage:
        raise Halt(
            "unsupported",
            "this is a Jetson: its driver comes with JetPack, which ongpu does not manage; declare driver: {manage: "
            "false} to have Ollama managed",
        )
    if not system.init_systemd:
        raise Halt("unsupported", "systemd does not run here (a plain container?): there is no service to manage")
    if system.arch not in ARCHITECTURES:
        raise Halt("unsupported", f"Ollama has no GPU release for {system.arch}, only for x86_64 and aarch64")
    return system


def is_jetson(system: System) -> bool:
    """`5.15.148-tegra`, NVIDIA's kernel for Jetson."""
    return re.search(r"-tegra(\b|$)", system.kernel) is not None


def architecture(context: Context) -> str:
    """`amd64` or `arm64`."""
    return ARCHITECTURES[system_of(context).arch]
