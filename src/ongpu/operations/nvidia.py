"""The NVIDIA driver: repository, pin, packages, kernel module.

All read the host's spec from its data key `ongpu` (see docs: configuration). The dry run is honest: it shows
exactly what will be executed, and says what can only be known once an earlier resource is there.
"""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation

from ongpu.engine.converge import converge


@operation()
def prerequisites() -> Generator[FunctionCommand, None, None]:
    """Tools that later steps need (curl, zstd, ...), by the distribution's package manager. Interrupts: none."""
    yield from converge("prerequisites")


@operation()
def repository() -> Generator[FunctionCommand, None, None]:
    """NVIDIA's package repository: key and source. Interrupts: none."""
    yield from converge("repository")


@operation()
def driver() -> Generator[FunctionCommand, None, None]:
    """The driver packages of the declared branch, held as one set, where no driver works that they would replace.
    Interrupts: none."""
    yield from converge("driver")


@operation()
def switch() -> Generator[FunctionCommand, None, None]:
    """Another release instead of a driver that works: drained, everything that holds the GPU stopped, packages and
    kernel module exchanged, started again. Interrupts: ollama restart; reboot, where a reload would not do and the
    policy allows one."""
    yield from converge("switch")


@operation()
def module() -> Generator[FunctionCommand, None, None]:
    """The kernel module loaded = the driver installed. Interrupts: ollama restart (the module is reloaded), or reboot,
    where a reload would not do and the policy allows one."""
    yield from converge("module")


@operation()
def fabric() -> Generator[FunctionCommand, None, None]:
    """Fabric manager enabled and running, on hosts with NVSwitches. Interrupts: none."""
    yield from converge("fabric")


@operation()
def ecc() -> Generator[FunctionCommand, None, None]:
    """ECC memory on or off, as declared. Interrupts: reboot, where the mode is another and the policy allows one."""
    yield from converge("ecc")


@operation()
def settings() -> Generator[FunctionCommand, None, None]:
    """Persistence, power limit, clocks and compute mode of every GPU, now and at each boot. Interrupts: none."""
    yield from converge("settings")


@operation()
def cuda() -> Generator[FunctionCommand, None, None]:
    """No stub or cuda-compat library before the driver's own; the declared toolkit, held. Interrupts: none."""
    yield from converge("cuda")
