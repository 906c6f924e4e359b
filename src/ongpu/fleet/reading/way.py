"""A way to one host: connect, run, close."""

from __future__ import annotations

from typing import Protocol, TypeVar

from ongpu.engine.answer import Answer
from ongpu.fleet.trouble import Kind

T = TypeVar("T", covariant=True)

CONNECT_SECONDS = 10  # as pyinfra's CONNECT_TIMEOUT
ALIVE_SECONDS, ALIVE_COUNT = 15, 3  # a host that does not answer for 45 s is gone
MOST_BYTES = 16 * 2**20  # of one answer; the probe's sections are bounded to far less


class Unreached(Exception):
    """There is no connection: one sentence that begins as `ongpu.fleet.trouble` knows it."""


class Trouble(Protocol[T]):
    """Makes the result of a host that was not read, from its name, a sentence, and the kind where that is known."""

    def __call__(self, name: str, sentence: str, kind: Kind | None = None, /) -> T: ...


class Way(Protocol):
    """All three may be cancelled at any time; `close` is always called, also where `connect` failed."""

    async def connect(self) -> None:
        """Raises Unreached. The host's key has been verified, whatever the configuration says."""

    async def run(self, script: str, seconds: float) -> Answer:
        """One execution of a POSIX sh script, as root where the host's data says so. Never raises for anything that
        host or network do."""

    async def close(self) -> None:
        """Gives back the file descriptors. Never raises."""
