"""A small HTTP client for the loopback: the server asks its runners, the command line asks the server."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any


class Broken(Exception):
    """The other side closed the connection in the middle of an answer."""


class Answer:
    """Status and body of an answer; `lines()` gives the body while it comes in."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")
        self.status = int(self._file.readline().split(b" ")[1])
        self.headers: dict[str, str] = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            self.headers[name.lower()] = value.strip()

    def _blocks(self) -> Iterator[bytes]:
        if self.headers.get("transfer-encoding") != "chunked":
            yield self._file.read(int(self.headers.get("content-length", "0")))
            return
        while True:
            line = self._file.readline()
            if not line:
                raise Broken
            size = int(line, 16)
            block = self._file.read(size)
            self._file.readline()
            if len(block) < size:
                raise Broken
            if size == 0:
                return
            yield block

    def lines(self) -> Iterator[bytes]:
        rest = b""
        for block in self._blocks():
            *whole, rest = (rest + block).split(b"\n")
            yield from (line for line in whole if line.strip())
        if rest.strip():
            yield rest

    def body(self) -> bytes:
        return b"".join(self._blocks())

    def json(self) -> Any:
        return json.loads(self.body() or b"null")

    def close(self) -> None:
        self._file.close()
        self._connection.close()


def open_request(
    host: str, port: int, method: str, path: str, payload: Any = None, timeout: float | None = None
) -> Answer:
    """Send a request and read the head of its answer. Raises OSError, or Broken if there is no answer."""
    body = b"" if payload is None else json.dumps(payload).encode()
    name = f"[{host}]" if ":" in host else host
    connection = socket.create_connection((host, port), timeout=timeout)
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        connection.sendall(head.encode() + body)
        return Answer(connection)
    except (IndexError, ValueError) as error:
        connection.close()
        raise Broken from error
    except BaseException:
        connection.close()
        raise


def fetch(
    host: str, port: int, method: str, path: str, payload: Any = None, timeout: float | None = None
) -> tuple[int, Any]:
    """Status and JSON of a whole answer."""
    answer = open_request(host, port, method, path, payload, timeout)
    with contextlib.closing(answer):
        return answer.status, answer.json()
