"""A small HTTP/1.1 server on threads: what Ollama's API and llama-server's port need, and no more."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

_REASONS = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    499: "Client Closed Request",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
_HEAD_LIMIT = 64 * 1024


@dataclass
class Request:
    """One request. `closed()` tells whether the client has gone away."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    client: str
    connection: socket.socket

    def closed(self) -> bool:
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


@dataclass
class Response:
    """`body` is sent whole with its length; `stream` in chunks, each as soon as it is there."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    stream: Generator[bytes, None, None] | None = None


Handler = Callable[[Request], Response]
AccessLog = Callable[[Request, int, float], None]


_open: set[socket.socket] = set()


def cut_all() -> None:
    """Close every connection at once, whatever is being answered on it."""
    for connection in list(_open):
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


class Gone(Exception):
    """The client closed the connection."""


def serve(listener: socket.socket, handler: Handler, access_log: AccessLog | None = None) -> None:
    """Answer connections of `listener` for ever, one thread each."""
    listener.settimeout(1)  # so that a signal that comes just before the wait is not held up until the next client
    while True:
        try:
            connection, address = listener.accept()
        except TimeoutError:
            continue
        except OSError:
            return
        client = str(address[0]).removeprefix("::ffff:")
        threading.Thread(target=_connection, args=(connection, client, handler, access_log), daemon=True).start()


def _connection(connection: socket.socket, client: str, handler: Handler, access_log: AccessLog | None) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _open.add(connection)
    try:
        with contextlib.suppress(OSError, Gone, ValueError), connection:
            _answer_all(connection, client, handler, access_log)
    finally:
        _open.discard(connection)


def _answer_all(connection: socket.socket, client: str, handler: Handler, access_log: AccessLog | None) -> None:
    pending = b""
    while True:
        request, pending = _read(connection, client, pending)
        if request is None:
            return
        start = time.monotonic()
        response = handler(request)
        try:
            _send(connection, request, response)
        finally:
            if access_log:
                access_log(request, response.status, time.monotonic() - start)
        if request.headers.get("connection", "").lower() == "close":
            return


def _read(connection: socket.socket, client: str, data: bytes) -> tuple[Request | None, bytes]:
    while b"\r\n\r\n" not in data:
        block = connection.recv(65536)
        if not block or len(data) > _HEAD_LIMIT:
            return None, b""
        data += block
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, target, *_ = [*lines[0].split(" "), "", ""]
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body, rest = _read_chunks(connection, rest)
    else:
        length = int(headers.get("content-length") or 0)
        while len(rest) < length:
            block = connection.recv(65536)
            if not block:
                return None, b""
            rest += block
        body, rest = rest[:length], rest[length:]
    return Request(method, target.split("?")[0], headers, body, client, connection), rest


def _read_chunks(connection: socket.socket, data: bytes) -> tuple[bytes, bytes]:
    body = b""

    def need(count: int) -> None:
        nonlocal data
        while len(data) < count:
            block = connection.recv(65536)
            if not block:
                raise Gone
            data += block

    while True:
        while b"\r\n" not in data:
            need(len(data) + 1)
        line, _, data = data.partition(b"\r\n")
        size = int(line.split(b";")[0] or b"0", 16)
        need(size + 2)
        body, data = body + data[:size], data[size + 2 :]
        if size == 0:
            return body, data


def _send(connection: socket.socket, request: Request, response: Response) -> None:
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if response.content_type:
        lines.append(f"Content-Type: {response.content_type}")
    lines.append(time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT", time.gmtime()))
    if response.stream is None:
        lines.append(f"Content-Length: {len(response.body)}")
    else:
        lines.append("Transfer-Encoding: chunked")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if response.stream is None:
        connection.sendall(head + (b"" if request.method == "HEAD" else response.body))
        return
    with contextlib.closing(response.stream) as blocks:
        # The head goes with the first block: a stream that was never begun could not give back what it holds.
        for block in blocks:
            connection.sendall(head + b"%x\r\n%s\r\n" % (len(block), block))
            head = b""
    connection.sendall(head + b"0\r\n\r\n")
