"""Real SSH servers in this process, for the ways to a host: what they answer, and what they saw."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

Process = asyncssh.SSHServerProcess[bytes]
Handler = Callable[[Process], Coroutine[Any, Any, None]]


async def shell(process: Process) -> None:
    """Runs what it is given: the command, with standard input."""
    text = await process.stdin.read()
    child = await asyncio.create_subprocess_exec("sh", "-c", process.command or "", stdin=-1, stdout=-1, stderr=-1)
    out, err = await child.communicate(text)
    process.stdout.write(out)
    process.stderr.write(err)
    process.exit(child.returncode or 0)


@dataclass
class Server:
    """One sshd on a port of its own. `commands` = what it was asked to execute."""

    place: Path
    handler: Handler = shell
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    forwarded: int = 0
    open: int = 0
    port: int = 0
    kinds: str = "ssh-ed25519"
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _key: asyncssh.SSHKey | None = None
    _listener: asyncssh.SSHAcceptor | None = None
    _thread: threading.Thread | None = None

    @property
    def known(self) -> str:
        assert self._key
        return f"[127.0.0.1]:{self.port} {self._key.export_public_key().decode().strip()}\n"

    def start(self) -> Server:
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._listen())
        return self

    def stop(self) -> None:
        """Nothing of it may be left: a later test may patch the threads of this process."""
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        assert self._thread
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        if self._listener:
            self._listener.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._loop.shutdown_default_executor()

    def _call(self, doing: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(10)

    async def _listen(self) -> None:
        server = self

        class Listener(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                server.connections += 1
                server.open += 1

            def connection_lost(self, exc: Exception | None) -> None:
                server.open -= 1

            def connection_requested(self, host: str, port: int, orig_host: str, orig_port: int) -> bool:
                server.forwarded += 1
                return True

        async def asked(process: Process) -> None:
            server.commands.append(process.command or "")
            await server.handler(process)

        listening = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Listener, server_host_keys=[self._key],
            authorized_client_keys=str(self.place / "authorized_keys"), process_factory=asked, encoding=None,
        )  # fmt: skip
        self._listener = listening
        self.port = listening.get_port()
