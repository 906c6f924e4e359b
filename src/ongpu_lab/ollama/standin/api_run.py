"""The API that runs models: generate, chat, embed."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import client, envconfig, golog, requests, store
from .api_models import JSON, NDJSON, answer, failure, header, lookup, projector_header
from .gguf import Model
from .gojson import dumps, rfc3339
from .launch import Options, Plan
from .requests import BadRequest
from .runner import LoadFailed, Runner
from .scheduler import Busy, Scheduler
from .store import Store, Stored
from .wire import Request, Response

_BUSY = "server busy, please try again.  maximum pending requests exceeded"


@dataclass
class _Call:
    """A request that runs a model, after its body was understood."""

    request: Request
    body: dict[str, Any]
    text: str
    stored: Stored
    model: Model
    projector: Model | None
    options: dict[str, Any]
    keep_alive: float | None
    start: float
    load_seconds: float = 0.0


class RunApi:
    def __init__(self, models: Store, scheduler: Scheduler) -> None:
        self._store, self._scheduler = models, scheduler

    def generate(self, request: Request) -> Response:
        start = time.monotonic()
        kinds = {"model": str, "prompt": str, "stream": bool, "options": dict, "system": str, "raw": bool}
        body = requests.decode(request.body, "GenerateRequest", kinds)
        call = self._call(request, body, start)
        prompt = str(body.get("prompt") or "")
        if not prompt and call.keep_alive == 0:
            return self._unload(call, {"response": ""})
        if "completion" not in store.capabilities(call.model):
            raise BadRequest(400, f'"{call.text}" does not support generate')
        self._check(call)
        if not prompt:
            return self._load_only(call, {"response": ""})
        return self._run(call, prompt, lambda text: {"response": text}, context=True)

    def chat(self, request: Request) -> Response:
        start = time.monotonic()
        kinds = {"model": str, "messages": list, "stream": bool, "options": dict}
        body = requests.decode(request.body, "ChatRequest", kinds)
        call = self._call(request, body, start)
        messages = body.get("messages") or []
        if not messages and call.keep_alive == 0:
            return self._unload(call, _message(""))
        if "completion" not in store.capabilities(call.model):
            raise BadRequest(400, f'"{call.text}" does not support chat')
        self._check(call)
        if not messages:
            return self._load_only(call, _message(""))
        prompt = "\n".join(str(message.get("content", "")) for message in messages if isinstance(message, dict))
        return self._run(call, prompt, _message, context=False)

    def embed(self, request: Request) -> Response:
        start = time.monotonic()
        body = requests.decode(request.body, "EmbedRequest", {"model": str, "options": dict})
        call = self._call(request, body, start)
        given = body.get("input", body.get("prompt"))
        texts = [given] if isinstance(given, str) else list(given or [])
        if not texts and call.keep_alive == 0:
            return self._unload(call, {})
        self._check(call)
        with self._runner(call) as runner:
            if not texts:
                return answer({"model": call.text, "embeddings": []})
            status, value = client.fetch("127.0.0.1", runner.port, "POST", "/embedding", {"content": texts})
            if status != 200:
                return failure(status, str(value["error"]["message"]))
            vectors = [item["embedding"][0] for item in value]
        if request.path == "/api/embeddings":
            return answer({"embedding": vectors[0]})
        spent = round((time.monotonic() - start) * 1e9)
        counts = {
            "total_duration": spent,
            "load_duration": round(call.load_seconds * 1e9),
            "prompt_eval_count": sum(len(t.split()) + 1 for t in texts),
        }
        return answer({"model": call.text, "embeddings": vectors} | counts)

    def _call(self, request: Request, body: dict[str, Any], start: float) -> _Call:
        keep_alive = requests.keep_alive(body.get("keep_alive"))
        text = str(body.get("model") or "")
        stored = lookup(self._store, text)
        model, projector = header(self._store, stored), projector_header(self._store, stored)
        return _Call(request, body, text, stored, model, projector, body.get("options") or {}, keep_alive, start)

    def _check(self, call: _Call) -> None:
        call.options = requests.options(self._store.params(call.stored), call.options)

    def _load_options(self, call: _Call) -> Options:
        given = call.options
        context = (
            given.get("num_ctx") or envconfig.unsigned("OLLAMA_CONTEXT_LENGTH", 0) or self._scheduler.default_context
        )
        return Options(
            num_ctx=int(context),
            num_gpu=int(given.get("num_gpu", -1)),
            num_batch=given.get("num_batch"),
            num_thread=given.get("num_thread"),
            main_gpu=given.get("main_gpu"),
            use_mmap=given.get("use_mmap"),
        )

    def _plan(self, call: _Call) -> Plan:
        return Plan(
            call.stored.name,
            self._path(call, "model"),
            call.model,
            self._load_options(call),
            digest=call.stored.digest,
            projector=self._path(call, "projector") if call.projector else None,
            projector_size=call.projector.file_size if call.projector else 0,
        )

    def _path(self, call: _Call, kind: str) -> Path:
        return self._store.blob((call.stored.layer(kind) or {"digest": ""})["digest"])

    @contextlib.contextmanager
    def _runner(self, call: _Call) -> Iterator[Runner]:
        """A loaded runner. Raises BadRequest with the status of what went wrong."""
        begin = time.monotonic()
        try:
            held = self._scheduler.runner(self._plan(call), call.keep_alive, call.request.closed)
            with held as runner:
                call.load_seconds = time.monotonic() - begin
                yield runner
        except Busy:
            raise BadRequest(503, _BUSY) from None
        except LoadFailed as error:
            raise BadRequest(499 if str(error) == "request canceled" else 500, str(error)) from error

    def _unload(self, call: _Call, empty: dict[str, Any]) -> Response:
        self._scheduler.expire(self._path(call, "model"))
        return self._done(call, empty, "unload")

    def _load_only(self, call: _Call, empty: dict[str, Any]) -> Response:
        with self._runner(call):
            return self._done(call, empty, "load")

    def _done(self, call: _Call, empty: dict[str, Any], reason: str) -> Response:
        return Response(200, dumps(_head(call) | empty | {"done": True, "done_reason": reason}).encode(), JSON)

    def _run(self, call: _Call, prompt: str, wrap: Callable[[str], dict[str, Any]], context: bool) -> Response:
        held = contextlib.ExitStack()
        runner = held.enter_context(self._runner(call))
        records = self._records(call, runner, prompt, wrap, context, held)
        if call.body.get("stream", True):
            return Response(200, b"", NDJSON, stream=(dumps(record).encode() + b"\n" for record in records))
        text: list[str] = []
        last: dict[str, Any] = {}
        for last in records:
            if "error" in last:
                return answer(last, 500)
            text.append(last["response"] if "response" in last else last["message"]["content"])
        if not last:  # the runner ended its answer before the first token: the zero value, with status 200
            return answer({"model": "", "created_at": "0001-01-01T00:00:00Z"} | wrap("") | {"done": False})
        known = ("model", "created_at", "response", "message")
        rest = {key: value for key, value in last.items() if key not in known}
        return answer(_head(call) | wrap("".join(text)) | rest)

    def _records(
        self,
        call: _Call,
        runner: Runner,
        prompt: str,
        wrap: Callable[[str], dict[str, Any]],
        context: bool,
        held: contextlib.ExitStack,
    ) -> Iterator[dict[str, Any]]:
        """One record for each token, a last one with the timings; the runner is held until the end."""
        options = call.options
        payload = {
            "prompt": prompt,
            "n_predict": options.get("num_predict", -1),
            "seed": options.get("seed"),
            "temperature": options.get("temperature", 0.8),
            "stream": True,
        }
        with held:
            try:
                reply = client.open_request("127.0.0.1", runner.port, "POST", "/completion", payload)
                with contextlib.closing(reply):
                    for line in reply.lines():
                        event = json.loads(line.removeprefix(b"data: "))
                        if event["stop"]:
                            yield self._last(call, event, wrap, context)
                        else:
                            yield _head(call) | wrap(event["content"]) | {"done": False}
                        if call.request.closed():
                            golog.info(
                                "llama_server.go:1538",
                                "aborting completion request due to client closing the connection",
                            )
                            return
            except (OSError, client.Broken, ValueError) as error:
                yield {"error": f"an error was encountered while running the model: {str(error) or 'unexpected EOF'}"}

    def _last(
        self, call: _Call, event: dict[str, Any], wrap: Callable[[str], dict[str, Any]], context: bool
    ) -> dict[str, Any]:
        times = event["timings"]
        record = (
            _head(call)
            | wrap("")
            | {"done": True, "done_reason": "length" if event["stop_type"] == "limit" else "stop"}
        )
        if context:
            record["context"] = list(range(100, 100 + times["prompt_n"] + times["predicted_n"]))
        spent = max(
            time.monotonic() - call.start, call.load_seconds + (times["prompt_ms"] + times["predicted_ms"]) / 1000
        )
        return record | {
            "total_duration": round(spent * 1e9),
            "load_duration": round(call.load_seconds * 1e9),
            "prompt_eval_count": times["prompt_n"],
            "prompt_eval_duration": round(times["prompt_ms"] * 1000) * 1000,
            "eval_count": times["predicted_n"],
            "eval_duration": round(times["predicted_ms"] * 1000) * 1000,
        }


def _head(call: _Call) -> dict[str, Any]:
    return {"model": call.text, "created_at": rfc3339(time.time())}


def _message(text: str) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}}
