"""The way in, without a lab: client script, socket file, relay, and an echoing server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from ongpu_lab.hosts import proxy, relay

CLIENT = [sys.executable, "-I", "-S", "-E", str(proxy.__file__)]


async def echo_until_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    data = await reader.read()  # to the end of the input: the end must have been passed on
    writer.write(data)
    await writer.drain()
    writer.close()


async def through(directory: Path, data: bytes, clients: int = 1) -> list[bytes]:
    target = await asyncio.start_server(echo_until_the_end, "127.0.0.1", 0)
    port = target.sockets[0].getsockname()[1]
    server = await relay.serve(directory, "ssh.sock", "127.0.0.1", port)
    processes = [
        await asyncio.create_subprocess_exec(
            *CLIENT, str(directory), "ssh.sock", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(clients)
    ]
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*(process.communicate(data) for process in processes))
    server.close()
    target.close()
    return [out for out, _ in answers]


def test_data_comes_whole_through_a_long_path(tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 40)
    directory.mkdir()
    data = bytes(range(256)) * 8000
    assert asyncio.run(through(directory, data)) == [data]


def test_many_at_once(tmp_path: Path) -> None:
    assert asyncio.run(through(tmp_path, b"hello", clients=20)) == [b"hello"] * 20


def test_a_host_that_does_not_answer_ends_the_connection(tmp_path: Path) -> None:
    async def refused() -> bytes:
        server = await relay.serve(tmp_path, "ssh.sock", "127.0.0.1", 1)
        process = await asyncio.create_subprocess_exec(
            *CLIENT, str(tmp_path), "ssh.sock", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        async with asyncio.timeout(30):
            out, _ = await process.communicate(b"SSH-2.0")
        server.close()
        return out

    assert asyncio.run(refused()) == b""


@pytest.mark.parametrize("directory", ["nowhere", "."])
def test_no_lab_is_one_sentence(tmp_path: Path, directory: str) -> None:
    argv = [*CLIENT, str(tmp_path / directory), "ssh.sock"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"The lab host in {tmp_path / directory} is not reachable (No such file")
    assert done.stderr.count("\n") == 1
