"""A way to a host over SSH inside this process, by asyncssh."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from dataclasses import dataclass, field

import asyncssh

from ongpu.engine.answer import Answer, reason
from ongpu.errors import ConfigError
from ongpu.fleet.reading.proxy import Proxy
from ongpu.fleet.reading.settings import Settings, settings_of
from ongpu.fleet.reading.target import Target
from ongpu.fleet.reading.way import ALIVE_COUNT, ALIVE_SECONDS, CONNECT_SECONDS, MOST_BYTES, Unreached

_CLOSING_SECONDS = 1.0


@dataclass(slots=True)
class Jumps:
    """The connections to jump hosts, one for all hosts behind each. One that cannot be reached is tried once."""

    _open: dict[tuple[str, str | None, str | None], asyncio.Task[asyncssh.SSHClientConnection]] = field(
        default_factory=dict
    )
    _proxies: list[Proxy] = field(default_factory=list)

    async def to(self, chain: str, of: Target, on_the_way: tuple[str, ...] = ()) -> asyncssh.SSHClientConnection:
        """`user@host:port,host2`: through the first to the last. `on_the_way`: the chains that wait for this one.
        Raises Unreached."""
        if chain in on_the_way:
            raise Unreached(f"unreachable: its jump hosts lead in a circle: {chain}")
        key = (chain, of.config, of.known_hosts)
        task = self._open.get(key)
        if task is None or _has_ended(task):
            task = self._open[key] = asyncio.ensure_future(self._connect(chain, of, (*on_the_way, chain)))
        try:
            return await asyncio.shield(task)
        except Unreached as why:
            raise Unreached(f"unreachable: the jump host {chain.rpartition(',')[2]}: {why}") from None

    async def _connect(self, chain: str, of: Target, on_the_way: tuple[str, ...]) -> asyncssh.SSHClientConnection:
        before, _, last = chain.rpartition(",")
        user, _, address = last.strip().removeprefix("ssh://").rpartition("@")
        host, port = _address(address)
        hop = Target(
            name=host, hostname=host, user=user or None, port=port, config=of.config, known_hosts=of.known_hosts,
            use_agent=of.use_agent, look_for_keys=of.look_for_keys,
        )  # fmt: skip
        through = await self.to(before, of, on_the_way) if before else None
        connection, proxy = await _open(hop, self, through, on_the_way)
        if proxy:
            self._proxies.append(proxy)
        return connection

    async def close(self) -> None:
        for task in self._open.values():
            if task.done() and not task.cancelled() and not task.exception():
                task.result().abort()
            task.cancel()
        for proxy in self._proxies:
            await proxy.close()


def _has_ended(task: asyncio.Task[asyncssh.SSHClientConnection]) -> bool:
    return task.done() and not task.cancelled() and not task.exception() and task.result().is_closed()


def _address(text: str) -> tuple[str, int | None]:
    """`host`, `host:22`, `[2001:db8::1]:22`"""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest[1:]) if rest[1:].isdecimal() else None
    host, mark, port = text.rpartition(":")
    return (host, int(port)) if mark and port.isdecimal() and ":" not in host else (text, None)


class Native:
    """`connect`, `run`, `close` of `ongpu.fleet.reading.way.Way`. Raises NeedsOpenSSH from `connect`."""

    def __init__(self, target: Target, jumps: Jumps) -> None:
        self._target = target
        self._jumps = jumps
        self._connection: asyncssh.SSHClientConnection | None = None
        self._proxy: Proxy | None = None

    async def connect(self) -> None:
        for left in range(self._target.retries, -1, -1):
            try:
                self._connection, self._proxy = await _open(self._target, self._jumps)
                return
            except Unreached as why:
                if not left or not str(why).startswith(("unreachable", "the connection")):
                    raise
                await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - as pyinfra's ssh_connect_retry_*_delay

    async def run(self, script: str, seconds: float) -> Answer:
        if self._connection is None:
            return Answer("", "unreachable: not connected")
        try:
            async with asyncio.timeout(seconds):
                return await _answer(self._connection, self._target.command, script.encode())
        except TimeoutError:
            return Answer("", f"no answer within {seconds:.0f} s")
        except (asyncssh.Error, OSError) as error:
            return Answer("", f"unreachable: {_why(error)}")

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            try:
                async with asyncio.timeout(_CLOSING_SECONDS):
                    await self._connection.wait_closed()
            except (TimeoutError, OSError, asyncssh.Error):
                self._connection.abort()
        if self._proxy is not None:
            await self._proxy.close()


async def _open(
    target: Target, jumps: Jumps, through: asyncssh.SSHClientConnection | None = None, on_the_way: tuple[str, ...] = ()
) -> tuple[asyncssh.SSHClientConnection, Proxy | None]:
    """Raises Unreached, NeedsOpenSSH."""
    try:
        found = settings_of(target)
    except ConfigError as error:
        raise Unreached(str(error)) from None
    if through is None and found.jump and found.jump.lower() != "none":
        through = await jumps.to(found.jump, target, on_the_way)
    proxy = await Proxy.start(found.proxy) if found.proxy and through is None else None
    try:
        return await _connected(found, through, proxy), proxy
    except BaseException:
        if proxy:
            await proxy.close()
        raise


async def _connected(
    found: Settings, through: asyncssh.SSHClientConnection | None, proxy: Proxy | None
) -> asyncssh.SSHClientConnection:
    try:
        if proxy:
            return await asyncssh.connect(found.host, found.port, sock=proxy.socket, **found.arguments)
        return await asyncssh.connect(found.host, found.port, tunnel=through, proxy_command=None, **found.arguments)
    except asyncssh.HostKeyNotVerifiable:
        raise Unreached(_host_key(found)) from None
    except asyncssh.PermissionDenied:
        raise Unreached("authentication failed (wrong user or key)") from None
    except asyncssh.KeyExchangeFailed as error:
        if "host key" in error.reason.lower():
            raise Unreached(f"the host key is of another kind than those in known_hosts: {error.reason}") from None
        raise Unreached(f"unreachable: {error.reason}") from None
    except socket.gaierror as error:
        raise Unreached(f"the host name cannot be resolved: {found.host}: {error.strerror}") from None
    except (TimeoutError, asyncssh.TimeoutError):
        raise Unreached(f"unreachable: no connection within {CONNECT_SECONDS} s") from None
    except (asyncssh.Error, OSError, ValueError) as error:
        said = await proxy.last_words() if proxy else ""
        raise Unreached(f"unreachable: {said or _why(error)}") from None


def _host_key(found: Settings) -> str:
    keys = found.known.match(found.alias or found.host, "", found.port if found.port != 22 else None)
    return "the host key is not the one in known_hosts" if any(keys[:2]) else "the host key is not in known_hosts"


def _why(error: Exception) -> str:
    if isinstance(error, asyncssh.ConnectionLost):
        gone = f"the host does not answer any more (asked {ALIVE_COUNT} times in {ALIVE_COUNT * ALIVE_SECONDS} s)"
        return gone if "keepalive" in str(error).lower() else "the connection was closed by the host"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
    return str(error) or type(error).__name__


class _Session(asyncssh.SSHClientSession[bytes]):
    """Collects what a command writes; `done` when the channel is closed."""

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.err: list[bytes] = []
        self.size = 0
        self.status: int | None = None
        self.lost: Exception | None = None
        self.done = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self.size += len(data)
        if self.size <= MOST_BYTES:
            (self.err if datatype else self.out).append(data)

    def exit_status_received(self, status: int) -> None:
        self.status = status

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc
        if not self.done.done():
            self.done.set_result(None)


async def _answer(connection: asyncssh.SSHClientConnection, command: str, script: bytes) -> Answer:
    session = _Session()
    channel, _ = await connection.create_session(lambda: session, command, encoding=None, request_pty=False)
    try:
        with contextlib.suppress(BrokenPipeError):  # the command has ended already; its words say why
            channel.write(script)
            channel.write_eof()
        await session.done
    finally:
        channel.abort()
    text, said = (b"".join(pieces).decode("utf-8", "replace") for pieces in (session.out, session.err))
    if session.status is None:
        return Answer(
            text, f"unreachable: {_why(session.lost)}" if session.lost else "the connection was closed by the host"
        )
    return Answer(text, reason(text, said) if session.status else "")
