"""The imitated web sites over real sockets and TLS."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ongpu_lab.vendor import hostnames

PATIENCE = 20.0


@dataclass
class Web:
    root: Path
    process: subprocess.Popen[bytes]
    https: int
    http: int

    def ask(
        self, host: str, path: str, method: str = "GET", *, plain: bool = False, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection: http.client.HTTPConnection
        if plain:
            connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=PATIENCE)
        else:
            trust = ssl.create_default_context(cafile=str(self.root / "server.crt"))
            connection = _Named(host, self.https, trust)
        connection.request(method, path, headers={"Host": host, **headers})
        reply = connection.getresponse()
        try:
            body = reply.read()
        except http.client.IncompleteRead as error:
            body = error.partial
        connection.close()
        return reply.status, dict(reply.getheaders()), body

    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.root / "access.log").read_text().splitlines()]

    def knobs(self, text: str) -> None:
        (self.root / "knobs.ini").write_text(text)


class _Named(http.client.HTTPSConnection):
    """TLS to the loopback, with the certificate checked against the site's name."""

    def __init__(self, name: str, port: int, trust: ssl.SSLContext) -> None:
        super().__init__(name, port, timeout=PATIENCE, context=trust)
        self._trust = trust

    def connect(self) -> None:
        raw = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        self.sock = self._trust.wrap_socket(raw, server_hostname=self.host)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def certificate(root: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
    names = ",".join(f"DNS:{name}" for name in hostnames.ALL)
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=lab",
    ]
    command += ["-addext", f"subjectAltName={names}"]
    command += ["-keyout", str(root / "server.key"), "-out", str(root / "server.crt")]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    root = tmp_path_factory.mktemp("web")
    certificate(root)
    for path, text in {
        "developer.download.nvidia.com/repo/a.deb": "0123456789" * 10,
        "github.com/o/o/releases/download/v1/o.tgz": "release",
        "github.com/o/o/readme": "page",
        "registry.ollama.ai/v2/library/m/manifests/8b": "{}",
        "registry.ollama.ai/v2/library/m/blobs/sha256:ab": "blob",
        "secret": "outside of every host",
    }.items():
        (root / "www" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "www" / path).write_text(text)
    https, plain = free_port(), free_port()
    options = {
        "www": "www",
        "certificate": "server.crt",
        "key": "server.key",
        "log": "access.log",
        "knobs": "knobs.ini",
    }
    command = [sys.executable, "-m", "ongpu_lab.vendor.serve", "--address", "127.0.0.1"]
    command += [part for name, file in options.items() for part in (f"--{name}", str(root / file))]
    process = subprocess.Popen([*command, "--https-port", str(https), "--http-port", str(plain)])
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            for port in (https, plain):
                socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.01)
    yield Web(root, process, https, plain)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


@pytest.fixture
def web(started: Web) -> Web:
    started.knobs("")
    (started.root / "access.log").write_text("")
    return started


def test_serves_a_file_by_name_over_both(web: Web) -> None:
    for plain in (False, True):
        status, headers, body = web.ask(hostnames.NVIDIA, "/repo/./a.deb", plain=plain)
        assert (status, headers["Content-Length"], len(body)) == (200, "100", 100)
    assert web.ask(hostnames.NVIDIA, "/repo/a.deb", "HEAD")[::2] == (200, b"")
    assert [(line["scheme"], line["method"], line["status"], line["bytes"]) for line in web.log()] == [
        ("https", "GET", 200, 100),
        ("http", "GET", 200, 100),
        ("https", "HEAD", 200, 0),
    ]


def test_resumes(web: Web) -> None:
    status, headers, body = web.ask(hostnames.NVIDIA, "/repo/a.deb", Range="bytes=95-")
    assert (status, headers["Content-Range"], body) == (206, "bytes 95-99/100", b"56789")
    assert web.ask(hostnames.NVIDIA, "/repo/a.deb", Range="bytes=100-")[0] == 416


def test_downloads_come_from_another_host(web: Web) -> None:
    path = "/o/o/releases/download/v1/o.tgz"
    status, headers, _ = web.ask(hostnames.GITHUB, path)
    assert (status, headers["Location"]) == (302, f"https://{hostnames.GITHUB_ASSETS}{path}")
    assert web.ask(hostnames.GITHUB_ASSETS, path)[2] == b"release"
    assert web.ask(hostnames.GITHUB, "/o/o/readme")[2] == b"page"
    assert web.ask(hostnames.GITHUB_ASSETS, "/o/o/readme")[0] == 404
    blob = "/v2/library/m/blobs/sha256:ab"
    status, headers, _ = web.ask(hostnames.REGISTRY, blob)
    assert (status, headers["Location"]) == (307, f"https://{hostnames.REGISTRY_BLOBS}{blob}")
    assert web.ask(hostnames.REGISTRY_BLOBS, blob)[2] == b"blob"
    status, headers, _ = web.ask(hostnames.REGISTRY, blob, "HEAD")
    assert (status, headers["Content-Length"]) == (200, "4")
    assert web.ask(hostnames.REGISTRY, "/v2/library/m/manifests/8b")[2] == b"{}"


@pytest.mark.parametrize(
    ("host", "path"),
    [
        (hostnames.NVIDIA, "/repo/none.deb"),
        (hostnames.NVIDIA, "/repo"),
        (hostnames.NVIDIA, "/../secret"),
        (hostnames.NVIDIA, "/%2e%2e/secret"),
        (hostnames.NVIDIA, "/repo/a.deb%00"),
        (hostnames.GITHUB, "/o/o/releases/download/v1/none.tgz"),
        ("..", "/secret"),
        (".", "/secret"),
        ("", "/secret"),
    ],
)
def test_what_is_not_there(web: Web, host: str, path: str) -> None:
    assert web.ask(host, path, plain=True)[0] == 404


def test_an_unknown_model_is_told_as_the_registry_does(web: Web) -> None:
    status, _, body = web.ask(hostnames.REGISTRY, "/v2/library/none/manifests/8b")
    assert (status, json.loads(body)["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")


def test_faults(web: Web) -> None:
    web.knobs(f"[{hostnames.NVIDIA}]\nstatus = 503\n")
    assert web.ask(hostnames.NVIDIA, "/repo/a.deb")[0] == 503
    assert web.ask(hostnames.GITHUB, "/o/o/readme")[0] == 200
    web.knobs(f"[{hostnames.NVIDIA}]\ntruncate = 7\n")
    assert web.ask(hostnames.NVIDIA, "/repo/a.deb")[2] == b"0123456"
    web.knobs(f"[{hostnames.NVIDIA}]\ncorrupt = yes\n")
    assert web.ask(hostnames.NVIDIA, "/repo/a.deb")[2][:3] == b"112"
    web.knobs(f"[{hostnames.NVIDIA}]\ndown = yes\n")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        web.ask(hostnames.NVIDIA, "/repo/a.deb")
    web.knobs("[*]\nbytes_per_second = 400\n")
    before = time.monotonic()
    assert len(web.ask(hostnames.NVIDIA, "/repo/a.deb")[2]) == 100
    assert time.monotonic() - before >= 0.2
    web.knobs("no section\n")
    status, _, body = web.ask(hostnames.NVIDIA, "/repo/a.deb")
    assert status == 500
    assert b"no section" in body


def test_a_client_that_says_nothing_keeps_nobody_waiting(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.https), PATIENCE):
        assert web.ask(hostnames.GITHUB, "/o/o/readme")[0] == 200


def test_a_port_that_is_taken_is_one_sentence(web: Web) -> None:
    files = {"certificate": "server.crt", "key": "server.key", "log": "other.log", "knobs": "knobs.ini", "www": "www"}
    command = [sys.executable, "-m", "ongpu_lab.vendor.serve", "--address", "127.0.0.1"]
    command += [part for name, file in files.items() for part in (f"--{name}", str(web.root / file))]
    command += ["--https-port", str(web.https), "--http-port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1
    assert done.stderr.startswith("The lab's web server cannot start: ")
    assert done.stderr.count("\n") == 1
