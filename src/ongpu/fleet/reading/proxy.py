"""A ProxyCommand: a shell command whose standard input and output are the connection to the host."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket

from ongpu.fleet.reading.way import Unreached

_ENDING_SECONDS = 1.0


class Proxy:
    """`socket` is our end; the program has the other end as its standard input and output."""

    def __init__(self, ours: socket.socket, process: asyncio.subprocess.Process) -> None:
        self.socket = ours
        self._process = process

    @classmethod
    async def start(cls, command: str) -> Proxy:
        """Raises Unreached. Through a shell, as OpenSSH."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            process = await asyncio.create_subprocess_exec(
                "/bin/sh", "-c", f"exec {command}",
                stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=asyncio.subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            ours.close()
            raise Unreached(f"unreachable: ProxyCommand: {error.strerror}") from None
        finally:
            theirs.close()
        return cls(ours, process)

    async def last_words(self) -> str:
        """What it wrote to standard error; empty while it says nothing."""
        if self._process.stderr is None:
            return ""  # for the types: it is a pipe
        try:
            async with asyncio.timeout(_ENDING_SECONDS):
                said = (await self._process.stderr.read(4096)).decode("utf-8", "replace")
        except TimeoutError:
            return ""
        lines = [line.strip() for line in said.split("\n") if line.strip()]
        return lines[-1][:300] if lines else ""

    async def close(self) -> None:
        self.socket.close()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            try:
                async with asyncio.timeout(_ENDING_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()
