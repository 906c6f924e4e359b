"""What llama-server answers on its port: /health, /slots, /props, /completion, /embedding."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Generator
from typing import Any

from . import generation, gojson
from .fit import Card
from .gguf import Model
from .lab import Knobs
from .sizing import Settings, Use
from .wire import Request, Response

_JSON = "application/json; charset=utf-8"


def _error(status: int, message: str, kind: str) -> Response:
    return _answer({"error": {"code": status, "message": message, "type": kind}}, status)


def _answer(value: Any, status: int = 200) -> Response:
    return Response(status, gojson.dumps(value).encode(), _JSON)


class RunnerApi:
    """The server side of one runner; everything is 503 until the model is loaded."""

    def __init__(self, path: str, settings: Settings) -> None:
        self._path, self._settings = path, settings
        self._ready = threading.Event()
        self._slots = threading.BoundedSemaphore(settings.parallel)
        self._busy: list[dict[str, Any]] = [
            {"id": number, "n_ctx": settings.context // settings.parallel, "speculative": False, "is_processing": False}
            for number in range(settings.parallel)
        ]
        self._pick = threading.Lock()
        self._tasks = 0

    def ready(self, model: Model, use: Use, cards: list[Card], knobs: Knobs, vision: bool = False) -> None:
        self._encoder = model.arch in ("bert", "nomic-bert")
        self._vision = vision
        self._width = int(model.get("embedding_length", 0))
        self._speed = generation.speed(model, use, cards, knobs.number("generation", "speed", 1.0))
        self._break_after = int(knobs.number("generation", "break_after", -1))
        self._paced = knobs.flag("generation", "pace", default=True)
        self._ready.set()

    def handle(self, request: Request) -> Response:
        if not self._ready.is_set():
            return _error(503, "Loading model", "unavailable_error")
        match request.method, request.path:
            case "GET", "/health":
                return _answer({"status": "ok"})
            case "GET", "/slots":
                return _answer(self._busy)
            case "GET", "/props":
                return _answer(self._props())
            case "GET", "/metrics":
                return _error(
                    501,
                    "This server does not support metrics endpoint. Start it with `--metrics`",
                    "not_supported_error",
                )
            case "POST", "/completion":
                return Response(200, b"", "text/event-stream", stream=self._complete(_object(request.body), request))
            case "POST", "/embedding":
                return self._embed(_object(request.body))
            case _:
                return _error(404, "File Not Found", "not_found_error")

    def _props(self) -> dict[str, Any]:
        return {
            "default_generation_settings": {"n_ctx": self._settings.context // self._settings.parallel},
            "total_slots": self._settings.parallel,
            "model_alias": self._path,
            "model_path": self._path,
            "modalities": {"vision": self._vision, "video": False, "audio": False},
            "media_marker": os.environ.get("LLAMA_MEDIA_MARKER", ""),
            "endpoint_slots": True,
            "endpoint_props": False,
            "endpoint_metrics": False,
        }

    def _complete(self, body: dict[str, Any], request: Request) -> Generator[bytes, None, None]:
        """Server-sent events, one for each token and a last one with the timings."""
        with self._slots:
            with self._pick:
                slot = next(slot for slot in self._busy if not slot["is_processing"])
                slot["is_processing"], slot["id_task"] = True, self._tasks
                self._tasks += 1
            try:
                yield from self._tokens(body, request)
            finally:
                slot["is_processing"] = False

    def _tokens(self, body: dict[str, Any], request: Request) -> Generator[bytes, None, None]:
        prompt = str(body.get("prompt", ""))
        limit = int(body.get("n_predict", -1))
        count = limit if limit >= 0 else generation.DEFAULT_TOKENS
        read = generation.count_tokens(prompt)
        self._wait(read / self._speed.prompt)
        words = generation.tokens(prompt, count, body.get("seed"), float(body.get("temperature", 0.8)))
        for number, word in enumerate(words):
            if number == self._break_after:
                return
            self._wait(1 / self._speed.answer)
            if request.closed():
                return
            yield _event({"content": word, "stop": False})
        yield _event(
            {
                "content": "",
                "stop": True,
                "stop_type": "limit" if limit >= 0 else "eos",
                "timings": {
                    "prompt_n": read,
                    "prompt_ms": read / self._speed.prompt * 1000,
                    "predicted_n": count,
                    # The first token comes with the prompt: one token alone takes no time (recorded: 1000 ns).
                    "predicted_ms": max(0.001, (count - 1) / self._speed.answer * 1000),
                },
            }
        )

    def _wait(self, seconds: float) -> None:
        if self._paced:
            time.sleep(seconds)

    def _embed(self, body: dict[str, Any]) -> Response:
        if not self._encoder:
            return _error(
                501, "This server does not support embeddings. Start it with `--embeddings`", "not_supported_error"
            )
        texts = body.get("content", [])
        vectors = []
        for number, text in enumerate(texts):
            seed = sum(map(ord, text)) or 1
            vector = [((seed * (i + 3)) % 101 - 50) / 50 for i in range(self._width)]
            length = sum(value * value for value in vector) ** 0.5 or 1.0
            vectors.append({"index": number, "embedding": [[value / length for value in vector]]})
        return _answer(vectors)


def _event(value: Any) -> bytes:
    return b"data: " + gojson.dumps(value).encode() + b"\n\n"


def _object(body: bytes) -> dict[str, Any]:
    value = json.loads(body or b"{}")
    return value if isinstance(value, dict) else {}
