"""What keeps a driver from being loaded, as evidence: firmware, kernels, modprobe's configuration, its users."""

from __future__ import annotations

from collections.abc import Iterator

from ongpu.host.boot import Kernels, SecureBoot
from ongpu.host.cuda import CudaInit
from ongpu.host.platform import Fabric
from ongpu.host.reading import Absent, Known, value_or_none
from ongpu.host.use import DriverUse, Modprobe
from ongpu.rules.evidence import Kind

Lines = Iterator[tuple[Kind, str]]


def secure_boot(found: SecureBoot) -> Lines:
    match found.refuses_unsigned:
        case Known(value=True):
            yield "system", "SecureBoot enabled"
        case _:
            pass


def kernels(found: Kernels) -> Lines:
    """A failed build is said of the running kernel only: what is missing for the next one breaks nothing yet."""
    running = found.find(found.running)
    failure = found.failure(found.running)
    if failure and running and not isinstance(running.module, Known):
        yield "system", f"Error! Bad return status for module build on kernel: {failure.kernel} ({failure.log})"
        for line in failure.lines:
            yield "text", line
    coming = found.find(value_or_none(found.next_boot) or found.running)
    if running and coming and isinstance(running.module, Known) and isinstance(coming.module, Absent):
        yield "system", f"the next kernel {coming.release} has no NVIDIA module"


def modprobe(found: Modprobe) -> Lines:
    for line in found.lines:
        yield "system", f"{line.path}:{line.verb} {line.module} {line.rest}".rstrip()
    for word in value_or_none(found.parameters) or ():
        yield "system", word


def use(found: DriverUse) -> Lines:
    for name in value_or_none(found.rivals) or ():
        if name.startswith("nova"):
            yield "system", f"{name} is loaded"


def fabric(found: Fabric) -> Lines:
    """Only where CUDA waits for fabric manager: on other machines its unit fails and nobody minds."""
    match found.needs_manager, found.manager:
        case Known(value=True), Known(value=manager) if manager.state != "active":
            yield "system", f"nvidia-fabricmanager.service: {manager.state} ({manager.result})"
        case Known(value=True, source=source), Absent():
            yield "system", f"nvidia-fabricmanager.service could not be found ({source})"
        case _:
            pass


def cuda(found: CudaInit) -> Lines:
    if found.code:
        yield "log", f"cuInit err: {found.code}"


def nothing(_: object) -> Lines:
    """What is no trouble by itself: where the driver comes from."""
    return iter(())
