"""Start and end of the server, and the processes that it leaves or does not leave."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from standin_bench import Bench, Server, free_port, until
from standin_models import big, tiny

from ongpu_lab.ollama.standin.generation import DEFAULT_TOKENS


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_refuses_to_run_outside_the_lab(bench: Bench) -> None:
    (bench.root / "host.ini").unlink()
    done = bench.run("serve")
    assert done.returncode == 1
    assert done.stderr.startswith("ollama: this is the ongpu lab's stand-in, it runs only on lab hosts (")
    assert done.stderr.count("\n") == 1
    program = [bench.library / "llama-server", "--version"]
    runner = subprocess.run(program, env=bench.environment(), capture_output=True, text=True, check=False)
    assert runner.returncode == 1
    assert runner.stderr.startswith("llama-server: this is the ongpu lab's stand-in")


def test_sigterm_ends_the_server_and_its_runners(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve()
    server.post("/api/generate", {"model": "tiny", "stream": False})
    (pid,) = bench.held
    assert server.stop(signal.SIGTERM) == 0
    assert _gone(pid)
    assert bench.held == {}


def test_sigterm_cuts_requests_in_flight(bench: Bench) -> None:
    bench.install(big())
    bench.knobs("[generation]\nspeed = 0.01\n")
    server = bench.serve()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request(
        "POST", "/api/generate", json.dumps({"model": "big", "prompt": "x", "options": {"num_predict": 999}})
    )
    response = connection.getresponse()
    assert response.readline().endswith(b'"done":false}\n')
    assert server.stop(signal.SIGTERM) == 0
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        response.read()


def test_sigkill_leaves_the_runner_with_its_memory(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve()
    server.post("/api/generate", {"model": "tiny", "stream": False})
    (pid,) = bench.held
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    assert not _gone(pid)
    assert list(bench.held) == [pid]


def test_runner_says_what_it_holds_in_the_agreed_format(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve()
    server.post("/api/generate", {"model": "tiny", "stream": False})
    ((pid, text),) = bench.held.items()
    start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    assert re.fullmatch(rf"start {start}\n0 \d+ {re.escape(str(bench.library))}/llama-server\n", text)
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    assert b"--model" in command
    assert b"--flash-attn" in command


def test_runner_has_the_environment_of_the_server_and_three_more(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve(SOME_SECRET="s", LD_LIBRARY_PATH="/opt/lib")
    server.post("/api/generate", {"model": "tiny", "stream": False})
    (pid,) = bench.held

    def environment(process: int) -> dict[str, str]:
        pairs = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
        return dict(pair.split("=", 1) for pair in pairs if pair)

    mine, theirs = environment(pid), environment(server.process.pid)
    added = {key: value for key, value in mine.items() if theirs.get(key) != value and not key.startswith("ONGPU_LAB_")}
    assert set(added) == {"LLAMA_MEDIA_MARKER", "LD_LIBRARY_PATH", "GGML_BACKEND_PATH", "CUDA_VISIBLE_DEVICES"}
    assert added["LD_LIBRARY_PATH"] == f"{bench.library}:{bench.library}/cuda_v13:/opt/lib"
    assert added["GGML_BACKEND_PATH"] == f"{bench.library}/cuda_v13/libggml-cuda.so"
    assert mine["SOME_SECRET"] == "s"


def test_runner_answers_health_and_slots(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve()
    server.post("/api/generate", {"model": "tiny", "stream": False})
    (pid,) = bench.held
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    runner = Server(server.process, int(words[words.index("--port") + 1]), server.log_file)
    assert (runner.ask("GET", "/health").status, runner.ask("GET", "/health").json()) == (200, {"status": "ok"})
    assert [slot["is_processing"] for slot in runner.ask("GET", "/slots").json()] == [False]
    assert runner.ask("GET", "/metrics").status == 501


def test_killed_runner_stays_listed_and_the_next_request_loads_again(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve()
    server.post("/api/generate", {"model": "tiny", "stream": False})
    (pid,) = bench.held
    os.kill(pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{pid}").exists(), "the runner's end being noticed: no zombie")
    assert [model["name"] for model in server.ps()] == ["tiny:latest"]
    again = server.post(
        "/api/generate", {"model": "tiny", "stream": False, "prompt": "x", "options": {"num_predict": 2}}
    )
    assert again.json()["eval_count"] == 2
    assert "llama-server process no longer running" in server.log()
    assert pid not in bench.held


def test_listener_is_open_before_discovery_and_answers_after_it(bench: Bench) -> None:
    bench.knobs("[discovery]\ndelay = 0.4\n")
    server = bench.launch()
    until(lambda: "discovering available GPUs" in server.log(), "the start of discovery")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(20)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK")
    assert "inference compute" in server.log()


def test_sigterm_during_discovery(bench: Bench) -> None:
    bench.knobs("[discovery]\ndelay = 20\n")
    server = bench.launch()
    until(lambda: "discovering available GPUs" in server.log(), "the start of discovery")
    assert server.stop(signal.SIGTERM) == 0


def test_port_in_use(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        port = other.getsockname()[1]
        done = bench.run("serve", OLLAMA_HOST=f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert done.stderr.endswith(f"Error: listen tcp 127.0.0.1:{port}: bind: address already in use\n")


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("203.0.113.7:11499", "listen tcp 203.0.113.7:11499: bind: cannot assign requested address"),
        ("no-such-host.invalid:11499", "listen tcp: lookup no-such-host.invalid: no such host"),
    ],
)
def test_address_that_cannot_be_bound(bench: Bench, host: str, message: str) -> None:
    done = bench.run("serve", OLLAMA_HOST=host)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"Error: {message}")


def test_home_is_needed(bench: Bench) -> None:
    done = bench.run("serve", HOME="")
    assert (done.returncode, done.stderr) == (1, "Error: $HOME is not defined\n")


def test_models_directory_that_is_a_file(bench: Bench) -> None:
    path = bench.root / "afile"
    path.touch()
    done = bench.run("serve", OLLAMA_MODELS=str(path))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"Error: mkdir {path}: not a directory: ensure path elements are traversable"


def test_without_its_libraries_the_server_answers_and_loads_fail(bench: Bench) -> None:
    for path in [*bench.library.rglob("*.so"), bench.library / "llama-server"]:
        path.unlink()
    bench.install(tiny())
    server = bench.serve()
    reply = server.post("/api/generate", {"model": "tiny", "stream": False})
    assert reply.status == 500
    assert reply.json()["error"].startswith("error starting llama-server: llama-server binary not found (checked: ")
    assert 'msg="failure during llama-server GPU discovery"' in server.log()
    assert 'msg="inference compute" id=cpu library=cpu' in server.log()


def test_client_that_leaves_ends_the_load(bench: Bench) -> None:
    bench.install(tiny())
    bench.knobs("[load]\ndelay = 20\n")
    server = bench.serve()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        body = b'{"model":"tiny"}'
        connection.sendall(
            b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        until(lambda: "starting llama-server" in server.log(), "the load")
    until(
        lambda: "client connection closed before llama-server finished loading" in server.log(), "the end of the load"
    )
    assert server.ps() == []


def test_requests_of_two_clients_are_answered(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve()
    counts: list[int] = []

    def ask() -> None:
        counts.append(
            server.post("/api/generate", {"model": "tiny", "prompt": "x", "stream": False}).json()["eval_count"]
        )

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert counts == [DEFAULT_TOKENS] * 4
