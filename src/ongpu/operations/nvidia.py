"""The NVIDIA driver: repository, pin, packages, kernel module.

All read the host's spec from its data key `ongpu`, with the argument `spec` (a part of one) over it. The dry
run is honest: it shows exactly what will be executed, and says what can only be known after an earlier resource.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation

from ongpu.engine.converge import converge


@operation()
def prerequisites(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """Tools that later steps need (curl, zstd, ...), by the distribution's package manager. Interrupts: none."""
    yield from converge("prerequisites", spec)


@operation()
def repository(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """NVIDIA's package repository: key and source. Interrupts: none."""
    yield from converge("repository", spec)


@operation()
def driver(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """The driver packages of the declared branch, held as one set, where no driver works that they would replace.
    Interrupts: none."""
    yield from converge("driver", spec)


@operation()
def switch(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """Another release instead of a driver that works: drained, everything that holds the GPU stopped, packages and
    kernel module exchanged, started again. Interrupts: ollama restart; reboot, where a reload would not do and the
    policy allows one."""
    yield from converge("switch", spec)


@operation()
def module(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """The kernel module loaded = the driver installed. Interrupts: ollama restart (the module is reloaded), or reboot,
    where a reload would not do and the policy allows one."""
    yield from converge("module", spec)


@operation()
def fabric(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """Fabric manager enabled and running, on hosts with NVSwitches. Interrupts: none."""
    yield from converge("fabric", spec)


@operation()
def ecc(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """ECC memory on or off, as declared. Interrupts: reboot, where the mode is another and the policy allows one."""
    yield from converge("ecc", spec)


@operation()
def settings(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """Persistence, power limit, clocks and compute mode of every GPU, now and at each boot. Interrupts: none."""
    yield from converge("settings", spec)


@operation()
def cuda(spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """No stub or cuda-compat library before the driver's own; the declared toolkit, held. Interrupts: none."""
    yield from converge("cuda", spec)
