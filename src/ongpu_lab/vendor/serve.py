"""The imitated web sites, over HTTPS and HTTP: `python -m ongpu_lab.vendor.serve --help`.

Virtual hosts are directories below --www. Answers follow the real sites where programs depend on it: GitHub and the
model registry redirect downloads to another host, files can be resumed (Range), unknown paths are 404.
"""

from __future__ import annotations

import argparse
import json
import signal
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from ongpu_lab.vendor import knobs, ranges
from ongpu_lab.vendor.redirects import elsewhere, location
from ongpu_lab.vendor.site import Site

_CHUNK = 64 * 1024
_TYPES = {".deb": "application/vnd.debian.binary-package", ".gz": "application/x-gzip", ".pub": "text/plain"}


class Handler(BaseHTTPRequestHandler):
    """GET and HEAD."""

    protocol_version = "HTTP/1.1"
    server_version = "ongpu-lab"
    sys_version = ""
    timeout = 60
    site: Site

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """The log has one line for each answer, not this."""

    def _answer(self) -> None:
        self._host = (self.headers.get("Host") or "").rsplit(":", 1)[0].lower()
        path = urlsplit(self.path).path
        self._sent = 0
        status = 0
        try:
            status = self._serve(path)
        except (BrokenPipeError, ConnectionResetError, TimeoutError, ssl.SSLError):
            self.close_connection = True
        finally:
            self.site.log(
                client=self.client_address[0],
                scheme="https" if isinstance(self.connection, ssl.SSLSocket) else "http",
                host=self._host,
                method=self.command,
                path=path,
                range=self.headers.get("Range"),
                status=status,
                bytes=self._sent,
            )

    def _serve(self, path: str) -> int:
        """The status that was sent; 0 if none."""
        try:
            fault = self.site.fault(self._host, path)
        except ValueError as error:
            return self._text(500, str(error))
        if fault.delay:
            time.sleep(fault.delay)
        if fault.down:
            self.close_connection = True
            return 0
        if fault.status:
            return self._text(fault.status, "")
        if target := elsewhere(self._host, path, self.command):
            place = self.site.file(self._host, path)
            return self._redirect(target.status, target.url) if place else self._missing(path)
        place = self.site.file(*location(self._host, path))
        return self._file(place, fault) if place else self._missing(path)

    def _missing(self, path: str) -> int:
        if path.startswith("/v2/"):
            code = "MANIFEST_UNKNOWN" if "/manifests/" in path else "BLOB_UNKNOWN"
            error = {"code": code, "message": code.lower().replace("_", " ")}
            return self._text(404, json.dumps({"errors": [error]}), "application/json")
        return self._text(404, "Not Found\n")

    def _text(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> int:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self._sent = len(body)
        return status

    def _redirect(self, status: int, url: str) -> int:
        self.send_response(status)
        self.send_header("Location", url)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return status

    def _file(self, place: Path, fault: knobs.Fault) -> int:
        size = place.stat().st_size
        try:
            part = ranges.parse(self.headers.get("Range"), size)
        except ranges.Unsatisfiable:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return 416
        first, end = part or (0, size)
        status = 206 if part else 200
        self.send_response(status)
        self.send_header("Content-Type", _TYPES.get(place.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(end - first))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", formatdate(place.stat().st_mtime, usegmt=True))
        if part:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{size}")
        self.end_headers()
        if self.command != "HEAD":
            with place.open("rb") as file:
                file.seek(first)
                self._body(file, end - first, fault, first == 0)
        return status

    def _body(self, file: IO[bytes], length: int, fault: knobs.Fault, from_start: bool) -> None:
        limit = length if fault.truncate is None else min(length, fault.truncate)
        chunk = _CHUNK if not fault.bytes_per_second else max(1, min(_CHUNK, int(fault.bytes_per_second / 10)))
        while self._sent < limit:
            data = file.read(min(chunk, limit - self._sent))
            if not data:
                break
            if fault.corrupt and from_start and self._sent == 0:
                data = bytes([data[0] ^ 1]) + data[1:]
            self.wfile.write(data)
            self._sent += len(data)
            if fault.bytes_per_second:
                time.sleep(len(data) / fault.bytes_per_second)
        if self._sent < length:
            self.close_connection = True


class Server(ThreadingHTTPServer):
    """A thread for each connection. The TLS handshake is made in it: a slow client keeps nobody waiting."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], site: Site, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        super().__init__(address, type("SiteHandler", (Handler,), {"site": site}))

    def finish_request(self, request: object, client_address: object) -> None:
        if self._tls is not None:
            try:
                request.settimeout(Handler.timeout)  # type: ignore[attr-defined]
                request = self._tls.wrap_socket(request, server_side=True)  # type: ignore[arg-type]
            except OSError:  # no TLS, or a certificate that the client does not accept: its own affair
                return
        super().finish_request(request, client_address)  # type: ignore[arg-type]

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break are no news; other errors go to standard error with their trace."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Raises OSError (ssl.SSLError is one) for files that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. 0 after that, 1 if it could not start."""
    parser = argparse.ArgumentParser(prog="python -m ongpu_lab.vendor.serve", description=__doc__.splitlines()[0])
    parser.add_argument("--www", type=Path, required=True, help="directory with one directory for each host name")
    parser.add_argument("--address", required=True, help="address to listen on")
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True, help="one line of JSON for each request is added")
    parser.add_argument("--knobs", type=Path, required=True, help="INI file with faults; need not exist")
    parser.add_argument("--https-port", type=int, default=443)
    parser.add_argument("--http-port", type=int, default=80)
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with options.log.open("a") as log:
            site = Site(options.www, log, options.knobs)
            servers = [
                Server((options.address, options.https_port), site, tls_context(options.certificate, options.key)),
                Server((options.address, options.http_port), site),
            ]
            for server in servers:
                threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
            stop.wait()
            for server in servers:
                server.shutdown()
                server.server_close()
    except OSError as error:
        print(f"The lab's web server cannot start: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
