"""A small model registry with faults, for pulls: what the recordings' own registry did."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Registry:
    """Serves `root` (`v2/library/…`) on a port of the loopback. `control` holds the recorded registry's fault keys."""

    def __init__(self, root: Path, control: dict[str, Any]) -> None:
        self.root, self.control = root, control
        self.requests: list[tuple[str, str, str | None, int]] = []
        self.cuts = int(control.get("cut_times", 0))
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_HEAD(self) -> None:
                registry.answer(self)

            def do_GET(self) -> None:
                registry.answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        kind = "manifest" if "/manifests/" in request.path else "blob"
        status = self.control.get(f"{kind}_status")
        path = self.root / request.path.lstrip("/")
        if status or not path.is_file():
            error = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
            body = str(self.control.get(f"{kind}_body", json.dumps(error))).encode()
            self._send(request, status or 404, body, {})
        else:
            self._file(request, path.read_bytes(), kind)

    def _file(self, request: BaseHTTPRequestHandler, data: bytes, kind: str) -> None:
        headers: dict[str, str] = {}
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        body = data[int(part[1]) : int(part[2]) + 1] if part else data
        if kind == "blob" and not part and request.command == "GET" and self.control.get("location") != "none":
            headers["Location"] = f"http://127.0.0.1:{self.port}{request.path}"
        if kind == "blob" and self.control.get("corrupt"):
            body = bytes([body[0] ^ 1]) + body[1:]
        self._send(request, 206 if part else 200, body, headers)

    def _send(self, request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.requests.append((request.command, request.path, request.headers.get("Range"), status))
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "HEAD":
            return
        if request.headers.get("Range") and self.cuts:
            self.cuts -= 1
            body = body[: len(body) // 2]
            request.close_connection = True
        request.wfile.write(body)
