"""A place where the stand-in runs from the source tree: its own store, port, driver double and registry."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ongpu_lab.ollama import registry
from ongpu_lab.ollama.catalogue import Entry

SOURCE = Path(registry.__file__).resolve().parents[2]
WRAPPER = """#!{python} -IS
import os, sys
sys.path.insert(0, {source!r})
os.environ["ONGPU_LAB_EXE"] = os.path.realpath(sys.argv[0])
from ongpu_lab.ollama.standin.entry import run
run()
"""
RTX_4060: dict[str, Any] = {
    "name": "NVIDIA GeForce RTX 4060",
    "uuid": "GPU-11111111-2222-3333-4444-555555555555",
    "pci_id": "0000:01:00.0",
    "compute": [8, 9],
    "total_mib": 8188,
    "used_mib": 400,
}
PATIENCE = 20.0
T = TypeVar("T")


def until(condition: Callable[[], T], what: str) -> T:
    """Wait until `condition()` is true, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.01)
    return value


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


@dataclass
class Server:
    """A running `ollama serve`."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, body=data, headers=headers or {})
        response = connection.getresponse()
        reply = Reply(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return reply

    def post(self, path: str, body: Any) -> Reply:
        return self.ask("POST", path, body)

    def ps(self) -> list[dict[str, Any]]:
        return list(self.ask("GET", "/api/ps").json()["models"])

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@dataclass
class Bench:
    """One simulated installation below `root`."""

    root: Path
    backends: tuple[str, ...] = ("cuda_v13",)
    servers: list[Server] = field(default_factory=list)

    def __post_init__(self) -> None:
        library = self.library
        for folder in self.backends:
            (library / folder).mkdir(parents=True)
            (library / folder / f"libggml-{folder.partition('_')[0]}.so").touch()
        (self.root / "usr/bin").mkdir()
        for program in (self.ollama, library / "llama-server"):
            program.write_text(WRAPPER.format(python=sys.executable, source=str(SOURCE)))
            program.chmod(0o755)
        (library / "libggml-base.so").touch()
        for folder in ("run/procs", "home", "store/blobs"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "host.ini").touch()
        self.knobs("[generation]\npace = no\n")
        self.gpus(RTX_4060)

    @property
    def library(self) -> Path:
        return self.root / "usr/lib/ollama"

    @property
    def ollama(self) -> Path:
        return self.root / "usr/bin/ollama"

    @property
    def held(self) -> dict[int, str]:
        """The files that say which process holds GPU memory."""
        return {int(path.name): path.read_text() for path in (self.root / "run/procs").iterdir() if path.name.isdigit()}

    def gpus(self, *gpus: dict[str, Any], branch: int = 580, cuda: tuple[int, int] = (13, 0), error: str = "") -> None:
        facts = {"gpus": gpus, "branch": branch, "cuda": cuda, "error": error}
        (self.root / "driver.json").write_text(json.dumps(facts))

    def knobs(self, text: str) -> None:
        (self.root / "ollama.ini").write_text(text)

    def environment(self, **extra: str) -> dict[str, str]:
        base = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.root / "home"),
            "OLLAMA_MODELS": str(self.root / "store"),
            "OLLAMA_NO_CLOUD": "1",
            "LANG": "C.UTF-8",
            "ONGPU_LAB_HOST": str(self.root / "host.ini"),
            "ONGPU_LAB_RUN": str(self.root / "run"),
            "ONGPU_LAB_KNOBS": str(self.root / "ollama.ini"),
            "ONGPU_LAB_FAKE_DRIVER": str(self.root / "driver.json"),
            "ONGPU_LAB_OLLAMA_VERSION": "0.33.0-rc2",
        }
        return base | extra

    def install(self, *entries: Entry) -> None:
        """Put models into the store as a pull would."""
        for entry in entries:
            tree = self.root / "tree"
            registry.write(entry, tree)
            base = tree / "v2/library" / entry.model
            for blob in (base / "blobs").iterdir():
                (self.root / "store/blobs" / blob.name.replace(":", "-")).write_bytes(blob.read_bytes())
            manifest = self.root / "store/manifests/registry.ollama.ai/library" / entry.model / entry.tag
            manifest.parent.mkdir(parents=True, exist_ok=True)
            manifest.write_bytes((base / "manifests" / entry.tag).read_bytes())

    def launch(self, bind: str = "127.0.0.1", **extra: str) -> Server:
        """Start `ollama serve` without waiting for it."""
        port = free_port()
        log_file = self.root / f"serve-{port}.log"
        environment = {"OLLAMA_HOST": f"{bind}:{port}"} | self.environment(**extra)
        with log_file.open("wb") as log:
            process = subprocess.Popen([str(self.ollama), "serve"], env=environment, stdout=log, stderr=log)
        server = Server(process, port, log_file)
        self.servers.append(server)
        return server

    def serve(self, bind: str = "127.0.0.1", **extra: str) -> Server:
        """A server that answers."""
        server = self.launch(bind, **extra)

        def answers() -> bool:
            assert server.process.poll() is None, server.log()
            try:
                return server.ask("GET", "/api/version").status == 200
            except OSError:
                return False

        until(answers, "an answer of ollama serve")
        return server

    def run(self, *words: str, server: Server | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
        """The command line `ollama …`."""
        port = server.port if server else free_port()
        environment = {"OLLAMA_HOST": f"127.0.0.1:{port}"} | self.environment(**extra)
        return subprocess.run(
            [str(self.ollama), *words], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def close(self) -> None:
        for server in self.servers:
            server.stop()
        for pid in self.held:  # runners that a killed server left
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
