"""Reads many hosts at once and yields each result as it comes: connect, one script, close, judge; no barrier.

Memory and file descriptors are bounded by the number of hosts that are read at the same time, not by the fleet.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from ongpu.engine.answer import Answer
from ongpu.errors import OngpuError
from ongpu.fleet.options import Options
from ongpu.fleet.reading.inventory import Declared
from ongpu.fleet.reading.native import Jumps, Native
from ongpu.fleet.reading.program import local, openssh
from ongpu.fleet.reading.settings import NeedsOpenSSH
from ongpu.fleet.reading.target import Target, target_of
from ongpu.fleet.reading.way import Trouble, Unreached, Way

log = logging.getLogger("ongpu")
T = TypeVar("T")
_PER_HOST = 6  # file descriptors: a socket; with a ProxyCommand or a program its pipes
_KEPT_BACK = 64
_RESOLVERS = 32  # threads: names are resolved by the C library, which waits


def reachable(hosts: Sequence[Declared]) -> bool:
    """Whether all of these can be read without pyinfra."""
    return all(_target(host) is not None for host in hosts)


def _target(host: Declared) -> Target | None:
    return target_of(host.name, host.data) if host.connector in ("ssh", "local") else None


def stream(
    hosts: Sequence[Declared],
    options: Options,
    script: Callable[[Declared], str],
    result: Callable[[Declared, Answer], T],
    trouble: Trouble[T],
    seconds: int,
) -> Iterator[T]:
    """`result(host, answer)` of each host, in the order in which they answer. `script` may raise OngpuError: the host
    is then not asked. `trouble` makes the result of a host that was not reached, took longer than
    options.seconds, or made `result` raise. `seconds` bounds the execution alone."""
    reader = _Reader(options, script, result, trouble, seconds)
    with asyncio.Runner(loop_factory=_loop) as runner:
        _rest_from_collecting()
        queue: asyncio.Queue[T] = runner.run(reader.start(hosts))
        try:
            for _ in hosts:
                yield runner.run(queue.get())
        finally:
            runner.run(reader.stop())


def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="ongpu-resolve"))
    loop.set_exception_handler(lambda _, context: log.debug("asyncio: %s", context))
    return loop


def _rest_from_collecting() -> None:
    """Modules stay: the garbage collector need not look at them again and again, nor at every connection at once."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def at_once(parallel: int) -> int:
    """As many hosts at a time as file descriptors allow (`ulimit -n`)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return parallel if soft == resource.RLIM_INFINITY else max(1, min(parallel, (soft - _KEPT_BACK) // _PER_HOST))


class _Reader(Generic[T]):
    def __init__(
        self,
        options: Options,
        script: Callable[[Declared], str],
        result: Callable[[Declared, Answer], T],
        trouble: Trouble[T],
        seconds: int,
    ) -> None:
        self._options = options
        self._script, self._result, self._trouble = script, result, trouble
        self._seconds = seconds
        self._workers: list[asyncio.Task[None]] = []
        self._jumps = Jumps()

    async def start(self, hosts: Sequence[Declared]) -> asyncio.Queue[T]:
        waiting = iter(hosts)
        queue: asyncio.Queue[T] = asyncio.Queue(maxsize=2 * self._options.parallel)  # a slow reader slows the reading

        async def work() -> None:
            for host in waiting:
                await queue.put(await self._one(host))

        count = min(at_once(self._options.parallel), len(hosts))
        self._workers = [asyncio.ensure_future(work()) for _ in range(count)]
        return queue

    async def stop(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._jumps.close()

    async def _one(self, host: Declared) -> T:
        try:
            script = self._script(host)
        except OngpuError as error:
            return self._trouble(host.name, str(error), "inventory")
        try:
            return self._result(host, await self._read(host, script))
        except Unreached as why:
            return self._trouble(host.name, str(why))
        except Exception as error:
            log.debug("%s", host.name, exc_info=True)
            return self._trouble(host.name, f"ongpu bug, please report: {error!r}")

    async def _read(self, host: Declared, script: str) -> Answer:
        """Raises Unreached."""
        target = _target(host)
        if target is None:
            raise Unreached("ongpu bug, please report: this host needs pyinfra")
        ways: list[Way] = (
            [local(target)] if host.connector == "local" else [Native(target, self._jumps), openssh(target)]
        )
        try:
            async with asyncio.timeout(self._options.seconds):
                for way in ways:
                    try:
                        return await self._by(way, script)
                    except NeedsOpenSSH as why:
                        log.info("%s: read by ssh, for asyncssh does not know %s", host.name, why)
        except TimeoutError:
            raise Unreached(f"not done within {self._options.seconds} s") from None
        raise Unreached("unreachable: no way to this host")

    async def _by(self, way: Way, script: str) -> Answer:
        try:
            await way.connect()
            return await way.run(script, min(self._seconds, self._options.seconds))
        finally:
            await asyncio.shield(way.close())
