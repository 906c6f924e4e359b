"""The supervisor's end of the way in: a socket file per host, forwarded to the host's sshd inside the lab's network."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

CHUNK = 65536


async def serve(directory: Path, socket_name: str, address: str, port: int = 22) -> asyncio.Server:
    """Listen on a new socket file. Connections that the host does not take are closed at once."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            far_writer.close()
            writer.close()

    return await asyncio.start_unix_server(connected, path=fresh(directory, socket_name))


def fresh(directory: Path, name: str) -> str:
    """A path to bind a socket at, through an open directory: a socket's path must be shorter than 108 bytes."""
    path = directory / name
    path.unlink(missing_ok=True)
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)  # kept open as long as the supervisor lives
    return f"/proc/self/fd/{handle}/{name}"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One way until its end, which is passed on. A side that breaks off is one that ends."""
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    with suppress(OSError, RuntimeError):  # the other side is closed already
        writer.write_eof()
