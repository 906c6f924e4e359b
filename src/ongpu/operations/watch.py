"""The drift check that a host, or a controller, runs by itself."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation

from ongpu.engine.converge import converge


@operation()
def timer() -> Generator[FunctionCommand, None, None]:
    """ongpu-drift.timer as `watch` declares it; nothing where it is not declared.

    Interrupts nothing: the check only reads. The dry run is exact.
    """
    yield from converge("watch")
