"""What must not go wrong under load: many clients, clients that leave, runners that die, a journal that is slow."""

from __future__ import annotations

import http.client
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from standin_bench import PATIENCE, RTX_4060, Bench, Server, until
from standin_models import tiny

LONG = {"model": "tiny", "prompt": "x", "options": {"num_predict": 100_000}}


def _slow(bench: Bench) -> Server:
    """A server whose answers take long enough to be interrupted."""
    bench.install(tiny())
    bench.knobs("[generation]\nspeed = 0.01\n")
    return bench.serve()


def _stream(server: Server, body: dict[str, Any]) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request("POST", "/api/generate", json.dumps(body))
    return connection, connection.getresponse()


def _unloads(server: Server) -> None:
    """A runner that a lost request still held would stay."""
    server.post("/api/generate", {"model": "tiny", "keep_alive": 0})
    until(lambda: server.ps() == [], "the model being unloaded")


def test_twenty_requests_at_once_are_all_answered(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve()
    body = {"model": "tiny", "prompt": "x", "stream": False, "options": {"num_predict": 4}}
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: server.post("/api/generate", body), range(20)))
    assert [(reply.status, reply.json()["done"]) for reply in replies] == [(200, True)] * 20
    assert server.log().count("starting llama-server") == 1


def test_runner_killed_in_the_middle_of_an_answer(bench: Bench) -> None:
    server = _slow(bench)
    connection, response = _stream(server, LONG)
    assert json.loads(response.readline())["done"] is False
    (pid,) = bench.held
    os.kill(pid, signal.SIGKILL)
    last = json.loads(response.read().splitlines()[-1])
    connection.close()
    assert last == {"error": "an error was encountered while running the model: unexpected EOF"}
    assert server.ask("GET", "/api/version").status == 200


def test_client_that_leaves_in_the_middle_frees_the_runner(bench: Bench) -> None:
    server = _slow(bench)
    connection, response = _stream(server, LONG)
    response.readline()
    response.close()
    connection.close()
    _unloads(server)


@pytest.mark.parametrize(
    ("tokens", "answer"),
    [(0, {"model": "", "response": ""}), (3, {"model": "tiny"})],
)
def test_answer_that_breaks_off_is_200_and_not_done(bench: Bench, tokens: int, answer: dict[str, str]) -> None:
    """cpu/50-runner-stream-breaks: a runner that gives up in its answer is no error for Ollama."""
    bench.install(tiny())
    bench.knobs(f"[generation]\npace = no\nbreak_after = {tokens}\n")
    server = bench.serve()
    body = {"model": "tiny", "prompt": "x", "options": {"num_predict": 8}}
    reply = server.post("/api/generate", body | {"stream": False})
    assert (reply.status, reply.json()["done"]) == (200, False)
    assert reply.json() | answer == reply.json()
    assert "eval_count" not in reply.json()
    streamed = server.post("/api/generate", body)
    assert [record["done"] for record in streamed.lines()] == [False] * tokens


def test_memory_that_cannot_be_held_fails_the_load(bench: Bench) -> None:
    """A load that the simulated driver does not see would be a false witness."""
    bench.install(tiny())
    (bench.root / "run/procs").rmdir()
    server = bench.serve()
    reply = server.post("/api/generate", {"model": "tiny", "stream": False})
    (bench.root / "run/procs").mkdir()
    assert reply.status == 500
    assert "the lab's stand-in cannot hold GPU memory" in server.log()


def test_managed_memory_hides_what_does_not_fit(bench: Bench) -> None:
    """Everything is reported as on the GPU; the driver says that the GPU holds no more than it has."""
    bench.install(tiny())
    bench.gpus(RTX_4060 | {"total_mib": 512, "used_mib": 496})
    server = bench.serve(GGML_CUDA_ENABLE_UNIFIED_MEMORY="1")
    body = {"model": "tiny", "stream": False, "options": {"num_gpu": 999}}
    assert server.post("/api/generate", body).status == 200
    (model,) = server.ps()
    assert model["size"] == model["size_vram"] > 16 << 20
    ((_, text),) = bench.held.items()
    assert text.splitlines()[1].split()[1] == "16"
