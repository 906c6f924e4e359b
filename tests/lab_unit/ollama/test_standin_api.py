"""The API's answers, held against the recorded ones: same request, same status, type, keys and errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from standin_bench import RTX_4060, Bench, Reply, Server, until
from standin_models import big, tiny
from standin_recorded import Exchange, exchanges, shape

from ongpu_lab.ollama.catalogue import entries

# Answers of the real server that depend on what it is or on its host, not on its interface
NOT_COMPARED = {
    "cpu/10-show": "the tokenizer's keys are left out of the lab's models",
    "cpu/11-show-verbose": "as cpu/10-show",
}
TOLERANCE = 0.04  # of a size in /api/ps: the compute buffer is CUDA's here and Vulkan's there


@pytest.fixture(scope="module")
def cpu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _server(tmp_path_factory.mktemp("cpu"), gpu=False)


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _server(tmp_path_factory.mktemp("gpu"), gpu=True)


def _server(root: Path, gpu: bool) -> Iterator[Server]:
    bench = Bench(root)
    bench.install(tiny(), big())
    if gpu:
        # The recorded device never has less than 2048 MiB free, whatever is loaded.
        bench.gpus(RTX_4060 | {"total_mib": 2048, "used_mib": 0, "constant": True})
    else:
        bench.gpus(error="dlopen libcuda.so.1: libcuda.so.1: cannot open shared object file: No such file or directory")
    yield bench.serve()
    bench.close()


def _check(server: Server, recorded: Exchange) -> Reply:
    reply = server.ask(recorded.method, recorded.path, recorded.request_body, recorded.request_headers)
    assert reply.status == recorded.status, reply.body
    for name in ("Content-Type", "Allow"):
        assert reply.headers.get(name) == recorded.headers.get(name)
    if recorded.name in NOT_COMPARED:
        return reply
    if recorded.headers.get("Content-Type", "").startswith("text/") or not recorded.body:
        assert reply.body == recorded.body
        return reply
    theirs, ours = recorded.records(), reply.lines()
    if "error" in theirs[0]:
        assert ours == theirs
    elif len(theirs) == 1:
        assert shape(ours[0]) == shape(theirs[0])
    else:
        assert [shape(ours[0]), shape(ours[-1])] == [shape(theirs[0]), shape(theirs[-1])]
    if recorded.path == "/api/ps":
        _compare_ps(theirs[0]["models"], ours[0]["models"])
    if "done" in theirs[-1]:
        for key in ("done", "done_reason", "eval_count", "model"):
            assert ours[-1].get(key) == theirs[-1].get(key)
    return reply


def _compare_ps(theirs: list[dict[str, object]], ours: list[dict[str, object]]) -> None:
    assert sorted(str(model["name"]) for model in ours) == sorted(str(model["name"]) for model in theirs)
    known = {model["name"]: model for model in theirs}
    for model in ours:
        recorded = known[model["name"]]
        assert model["context_length"] == recorded["context_length"]
        assert (model["size"] == model["size_vram"]) == (recorded["size"] == recorded["size_vram"])
        assert (model["size_vram"] == 0) == (recorded["size_vram"] == 0)
        for key in ("size", "size_vram"):
            if recorded[key] and float(str(recorded[key])) > 64 << 20:
                assert model[key] == pytest.approx(recorded[key], rel=TOLERANCE)


def _unload_is_done(server: Server, recorded: Exchange) -> None:
    """The recorder waited a moment after an unload; we wait for the event."""
    expected = {model["name"] for model in recorded.records()[0]["models"]}
    until(lambda: {model["name"] for model in server.ps()} == expected, f"the models of {recorded.name}")


@pytest.mark.parametrize("recorded", exchanges("cpu"), ids=lambda item: item.name)
def test_server_without_gpu_answers_as_recorded(cpu: Server, recorded: Exchange) -> None:
    if recorded.path == "/api/ps":
        _unload_is_done(cpu, recorded)
    _check(cpu, recorded)


@pytest.mark.parametrize("recorded", exchanges("gpu"), ids=lambda item: item.name)
def test_server_with_gpu_answers_as_recorded(gpu: Server, recorded: Exchange) -> None:
    _check(gpu, recorded)


@pytest.mark.parametrize("recorded", exchanges("misc"), ids=lambda item: item.name)
def test_other_paths_and_host_headers_answer_as_recorded(cpu: Server, recorded: Exchange) -> None:
    _check(cpu, recorded)


@pytest.mark.parametrize("recorded", exchanges("wildcard"), ids=lambda item: item.name)
def test_wildcard_bind_answers_as_recorded(wildcard: Server, recorded: Exchange) -> None:
    _check(wildcard, recorded)


@pytest.fixture(scope="module")
def wildcard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    bench = Bench(tmp_path_factory.mktemp("wildcard"))
    server = bench.serve(bind="0.0.0.0")
    yield server
    bench.close()


def test_show_has_the_recorded_fields(cpu: Server) -> None:
    recorded = next(item for item in exchanges("cpu") if item.name == "cpu/10-show").records()[0]
    shown = cpu.post("/api/show", {"model": "tiny"}).json()
    assert list(shown) == list(recorded)
    assert shown["details"] == recorded["details"]
    assert shown["capabilities"] == recorded["capabilities"]
    sizing = {key for key in recorded["model_info"] if not key.startswith(("tokenizer.", "llama.rope.dim"))}
    assert sizing <= set(shown["model_info"])
    for key in ("llama.block_count", "llama.context_length", "llama.attention.head_count_kv", "llama.vocab_size"):
        assert shown["model_info"][key] == recorded["model_info"][key]
    assert not [key for key in shown["model_info"] if "lab" in key]
    known = {tensor["name"]: tensor for tensor in recorded["tensors"]}
    assert [tensor for tensor in shown["tensors"] if tensor["name"] in known and tensor != known[tensor["name"]]] == []
    assert {tensor["name"] for tensor in shown["tensors"]} == set(known)


def test_empty_store_has_no_models(bench: Bench) -> None:
    assert bench.serve().ask("GET", "/api/tags").body == b'{"models":[]}'


def test_embedding_model_refuses_generate_and_embeds(bench: Bench) -> None:
    bench.install(next(entry for entry in entries() if entry.model == "nomic-embed-text"))
    server = bench.serve()
    refused = server.post("/api/generate", {"model": "nomic-embed-text", "stream": False})
    assert (refused.status, refused.json()) == (400, {"error": '"nomic-embed-text" does not support generate'})
    loaded = server.post("/api/embed", {"model": "nomic-embed-text"})
    assert (loaded.status, loaded.json()) == (200, {"model": "nomic-embed-text", "embeddings": []})
    vectors = server.post("/api/embed", {"model": "nomic-embed-text", "input": ["a", "b"]}).json()["embeddings"]
    assert [len(vector) for vector in vectors] == [768, 768]
    assert server.ps()[0]["size"] == server.ps()[0]["size_vram"] > 0


def test_delete_copy_and_create(bench: Bench) -> None:
    bench.install(tiny())
    server = bench.serve()
    assert server.post("/api/copy", {"source": "tiny", "destination": "other"}).status == 200
    made = server.post(
        "/api/create", {"model": "tiny-ctx", "from": "tiny", "parameters": {"num_ctx": 2048}, "stream": False}
    )
    assert made.json() == {"status": "success"}
    assert "num_ctx                        2048" in server.post("/api/show", {"model": "tiny-ctx"}).json()["parameters"]
    server.post("/api/generate", {"model": "tiny-ctx", "stream": False})
    assert server.ps()[0]["context_length"] == 2048
    assert server.ask("DELETE", "/api/delete", {"model": "other"}).status == 200
    assert {model["name"] for model in server.ask("GET", "/api/tags").json()["models"]} == {
        "tiny:latest",
        "tiny-ctx:latest",
    }
    gone = server.ask("DELETE", "/api/delete", {"model": "other"})
    assert (gone.status, gone.json()) == (404, {"error": "model 'other' not found"})


def test_full_queue_is_503(bench: Bench) -> None:
    bench.install(tiny())
    bench.knobs("[load]\ndelay = 1\n[generation]\npace = no\n")
    server = bench.serve(OLLAMA_MAX_QUEUE="1")
    first = threading.Thread(target=server.post, args=("/api/generate", {"model": "tiny", "stream": False}))
    first.start()
    until(lambda: "starting llama-server" in server.log(), "the first load")
    second = server.post("/api/generate", {"model": "tiny", "stream": False})
    first.join()
    assert (second.status, second.json()) == (
        503,
        {"error": "server busy, please try again.  maximum pending requests exceeded"},
    )
