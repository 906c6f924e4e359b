"""The small HTTP server: what it does with streams whose reader has gone."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Generator

from standin_bench import PATIENCE, until

from ongpu_lab.ollama.standin.wire import Request, Response, serve


def test_stream_whose_client_has_left_gives_back_what_it_holds() -> None:
    """A generator that was never begun runs none of its `finally`."""
    asked, released = threading.Event(), threading.Event()

    def held() -> Generator[bytes, None, None]:
        try:
            yield b"first"
        finally:
            released.set()

    def handler(request: Request) -> Response:
        asked.set()
        until(request.closed, "the client having left")
        return Response(200, stream=held())

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, handler), daemon=True).start()
    client = socket.create_connection(listener.getsockname())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert asked.wait(PATIENCE)
    client.close()
    assert released.wait(PATIENCE)
    listener.close()
