"""What the tests of the steps' shell share: shells to run them in, programs that are stood in for, a web server."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ongpu.plan.types import Run

SHELLS = [
    pytest.param(
        name,
        marks=[
            pytest.mark.skipif(shutil.which(name.split()[0]) is None, reason=f"no {name} here"),
            *([] if name == "dash" else [pytest.mark.slow]),  # dash is Debian's /bin/sh
        ],
    )
    for name in ("dash", "bash", "busybox sh")
]


@dataclass(frozen=True)
class Said:
    """How a step ended. `reason` is what an operator reads: its last line."""

    code: int
    output: str

    @property
    def reason(self) -> str:
        return self.output.strip().split("\n")[-1]


@dataclass
class Bench:
    """Runs steps in one shell. `fake` puts a program in front of the real ones; each keeps its calls."""

    place: Path
    shell: str
    environment: dict[str, str] = field(default_factory=dict)

    def fake(self, name: str, body: str) -> None:
        programs = self.place / "programs"
        programs.mkdir(exist_ok=True)
        file = programs / name
        file.write_text(f'#!/bin/sh\necho "$*" >>{self.place}/calls.{name}\n{body}\n')
        file.chmod(0o755)

    def calls(self, name: str) -> list[str]:
        file = self.place / f"calls.{name}"
        return file.read_text().splitlines() if file.exists() else []

    def run(self, step: Run, largest_file: int | None = None) -> Said:
        """As the host would. `largest_file` in bytes: writing more fails, as on a full disk."""
        command = (
            self.shell.split() + step.command.split()[1:] if step.stdin is not None else ["sh", "-c", step.command]
        )
        path = f"{self.place}/programs:{os.environ['PATH']}:/usr/sbin:/sbin"

        def limit() -> None:
            if largest_file is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

        done = subprocess.run(
            command,
            input=step.stdin,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            env={**os.environ, "LC_ALL": "C", "PATH": path, "no_proxy": "*", **self.environment},
            preexec_fn=limit,
            restore_signals=largest_file is None,  # Python ignores SIGXFSZ: a write then fails, as on a full disk
            check=False,
        )
        return Said(done.returncode, done.stdout)


@dataclass
class Site:
    """A web server's files, and how it behaves. `requests` = (method, path, Range header)."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    cut_after: int = 0  # bytes of a body; 0 = whole. Only for the first `cuts` answers
    cuts: int = 0
    status: dict[str, int] = field(default_factory=dict)
    post: Callable[[str, bytes], bytes] = lambda path, body: b""
    delete: int = 405  # status of DELETE
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_POST(self) -> None:
            site.requests.append(("POST", self.path, ""))
            answer = site.post(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def do_DELETE(self) -> None:
            site.requests.append(("DELETE", self.path, ""))
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(site.delete)
            self.end_headers()

        def _answer(self, *, body: bool) -> None:
            asked = self.headers.get("Range", "")
            site.requests.append((self.command, self.path, asked))
            content = site.files.get(self.path)
            if content is None or self.path in site.status:
                self.send_error(site.status.get(self.path, 404))
                return
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and site.ranges else 0
            if start and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            rest = content[start:]
            if body and site.cuts:
                site.cuts -= 1
                rest = rest[: site.cut_after]
            if body:
                self.wfile.write(rest)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
