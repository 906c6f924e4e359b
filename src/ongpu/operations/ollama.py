"""Ollama as a service: account, release, unit, drop-in, restart, models. Spec and dry run as in `nvidia`."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation

from ongpu.engine.converge import converge
from ongpu.engine.verify import verify


@operation()
def uninstall() -> Generator[FunctionCommand, None, None]:
    """Where the spec says `ollama: {state: absent}`: what ongpu installed is stopped and removed. Models and the
    account stay. Interrupts: Ollama, for good; drained first."""
    yield from converge("uninstall")


@operation()
def account() -> Generator[FunctionCommand, None, None]:
    """The service's system user. Interrupts: none."""
    yield from converge("account")


@operation()
def release() -> Generator[FunctionCommand, None, None]:
    """The pinned release, checked by sha256, unpacked beside the old one and switched. Interrupts: none."""
    yield from converge("ollama")


@operation()
def fit() -> Generator[FunctionCommand, None, None]:
    """The declared models exist, and fit on the disk and on the GPUs together; else the host fails here, before
    anything is restarted or downloaded for them. The host data key `ongpu_force: true` goes on when a model cannot fit
    on the GPUs by the prediction. Interrupts: none."""
    yield from converge("fit")


@operation()
def unit() -> Generator[FunctionCommand, None, None]:
    """ollama.service, only where none exists: an existing unit is never edited. Interrupts: none."""
    yield from converge("unit")


@operation()
def override() -> Generator[FunctionCommand, None, None]:
    """Our drop-in with the GPU environment. Interrupts: none (the restart is a resource of its own)."""
    yield from converge("override")


@operation()
def restart() -> Generator[FunctionCommand, None, None]:
    """Enabled, running, and running what is declared. Interrupts: Ollama restart, drained first."""
    yield from converge("restart")


@operation()
def models() -> Generator[FunctionCommand, None, None]:
    """The declared models in the store. Interrupts: none."""
    yield from converge("models")


@operation()
def proof(load: bool = True) -> Generator[FunctionCommand, None, None]:
    """Every declared model is proven fully on the GPU, or the host fails with one sentence.

    + load: load models that are not resident, if nothing else is evicted for it

    Does nothing in a dry run: a dry run proves nothing. Interrupts: none.
    """
    yield from verify(load=load)
