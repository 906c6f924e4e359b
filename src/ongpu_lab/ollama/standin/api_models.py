"""The API about the store: tags, show, pull, create, copy, delete, ps."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from . import gguf, names, requests, store
from .gojson import dumps, rfc3339
from .requests import BadRequest
from .scheduler import Scheduler
from .store import MEDIA, Store, Stored
from .wire import Request, Response

JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"


def answer(value: Any, status: int = 200) -> Response:
    return Response(status, dumps(value).encode(), JSON)


def failure(status: int, text: str) -> Response:
    return answer({"error": text}, status)


def lookup(models: Store, text: str) -> Stored:
    """The manifest that a request names. Raises BadRequest."""
    name = names.parse(text)
    if text and name is None:
        raise BadRequest(400, "invalid model name")
    found = models.find(name) if name else None
    if found is None:
        raise BadRequest(404, f"model '{text}' not found")
    return found


def header(models: Store, stored: Stored) -> gguf.Model:
    """Raises BadRequest (500) if the blob is gone or broken."""
    try:
        return models.model(stored)
    except (OSError, gguf.NotGguf) as error:
        raise BadRequest(500, f"unable to load model: {error}") from error


def projector_header(models: Store, stored: Stored) -> gguf.Model | None:
    """None if the model has no projector. Raises BadRequest (500) if its blob is gone or broken."""
    try:
        return models.projector(stored)
    except (OSError, gguf.NotGguf) as error:
        raise BadRequest(500, f"unable to load model: {error}") from error


class ModelsApi:
    def __init__(self, models: Store, scheduler: Scheduler) -> None:
        self._store, self._scheduler = models, scheduler

    def tags(self, request: Request) -> Response:
        entries = []
        for stored in self._store.all():
            model = header(self._store, stored)
            projector = stored.layer("projector") is not None
            short = stored.name.short()
            size = {
                "context_length": model.get("context_length", 0),
                "embedding_length": model.get("embedding_length", 0),
            }
            modified = stored.path.stat().st_mtime
            entries.append(
                (
                    modified,
                    {
                        "name": short,
                        "model": short,
                        "modified_at": rfc3339(modified),
                        "size": stored.size,
                        "digest": stored.digest,
                        "details": store.details(model, projector) | size,
                        "capabilities": store.capabilities(model, projector),
                    },
                )
            )
        return answer({"models": [entry for _, entry in sorted(entries, key=lambda pair: -pair[0])]})

    def openai_models(self, request: Request) -> Response:
        data = [
            {
                "id": s.name.short(),
                "object": "model",
                "created": int(s.path.stat().st_mtime),
                "owned_by": s.name.namespace,
            }
            for s in sorted(self._store.all(), key=lambda item: -item.path.stat().st_mtime)
        ]
        return Response(200, dumps({"object": "list", "data": data}).encode(), "application/json")

    def ps(self, request: Request) -> Response:
        entries = []
        for runner in list(self._scheduler.runners):
            expires = runner.expires_at or time.time() + runner.session
            entries.append(
                (
                    expires,
                    {
                        "name": runner.plan.name.short(),
                        "model": runner.plan.name.short(),
                        "size": runner.size,
                        "digest": runner.plan.digest,
                        "details": store.details(runner.plan.model, runner.plan.projector is not None),
                        "expires_at": rfc3339(expires),
                        "size_vram": runner.size_vram,
                        "context_length": runner.plan.options.num_ctx,
                    },
                )
            )
        return answer({"models": [entry for _, entry in sorted(entries, key=lambda pair: -pair[0])]})

    def show(self, request: Request) -> Response:
        body = requests.decode(request.body, "ShowRequest", {"model": str, "verbose": bool})
        text = str(body.get("model") or body.get("name") or "")
        name = names.parse(text)
        stored = lookup(self._store, name.short() if name else text)
        model, projector = header(self._store, stored), projector_header(self._store, stored)
        template = self._store.text(stored, "template") or "{{ .Prompt }}"
        parameters = self._store.params(stored)
        value: dict[str, Any] = {"modelfile": self._modelfile(stored, template, parameters)}
        if licence := self._store.text(stored, "license"):
            value = {"license": licence} | value
        if parameters:
            value["parameters"] = "\n".join(f"{key:<30} {item}" for key, item in _parameter_lines(parameters))
        value |= {
            "template": template,
            "details": store.details(model, projector is not None),
            "model_info": _model_info(model, bool(body.get("verbose"))),
        }
        if projector:
            value["projector_info"] = _model_info(projector, bool(body.get("verbose")))
        value |= {
            "tensors": [{"name": t.name, "type": t.type_name, "shape": list(t.shape)} for t in model.tensors],
            "capabilities": store.capabilities(model, projector is not None),
            "modified_at": rfc3339(stored.path.stat().st_mtime),
        }
        data = dumps(value).encode()
        return Response(200, b"", JSON, stream=(part for part in (data,)))

    def _modelfile(self, stored: Stored, template: str, parameters: dict[str, Any]) -> str:
        layer = stored.layer("model") or {"digest": ""}
        lines = [
            '# Modelfile generated by "ollama show"',
            "# To build a new Modelfile based on this, replace FROM with:",
            f"# FROM {stored.name.short()}",
            "",
            f"FROM {self._store.blob(layer['digest'])}",
            f"TEMPLATE {template}" if "\n" not in template else f'TEMPLATE """{template}"""',
            *(f"PARAMETER {key} {item}" for key, item in _parameter_lines(parameters)),
        ]
        return "\n".join(lines) + "\n"

    def pull(self, request: Request) -> Response:
        body = requests.decode(request.body, "PullRequest", {"model": str, "stream": bool, "insecure": bool})
        name = names.parse(str(body.get("model") or body.get("name") or ""))
        if name is None:
            raise BadRequest(400, "invalid model name")
        insecure = bool(body.get("insecure"))
        records = self._pull(replace(name, scheme="https"), insecure, request)
        if body.get("stream", True):
            return Response(200, b"", NDJSON, stream=(dumps(record).encode() + b"\n" for record in records))
        last: dict[str, Any] = {}
        for last in records:
            if "error" in last:
                return _plain(last, 500)
        return _plain({"status": last["status"]})

    def _pull(self, name: names.Name, insecure: bool, request: Request) -> Iterator[dict[str, Any]]:
        from .pull import pull  # only where it is needed: TLS and HTTP take as long to import as all the rest
        from .registry_client import RegistryError

        try:
            yield from pull(self._store, name, insecure, request.closed)
        except (RegistryError, OSError, ValueError, KeyError) as error:
            yield {"error": str(error)}

    def delete(self, request: Request) -> Response:
        body = requests.decode(request.body, "DeleteRequest", {"model": str})
        stored = lookup(self._store, str(body.get("model") or body.get("name") or ""))
        layer = stored.layer("model")
        if layer:
            self._scheduler.expire(self._store.blob(layer["digest"]))
        self._store.delete(stored)
        return Response(200)

    def copy(self, request: Request) -> Response:
        body = requests.decode(request.body, "CopyRequest", {"source": str, "destination": str})
        source, target = names.parse(str(body.get("source", ""))), names.parse(str(body.get("destination", "")))
        if source is None or target is None:
            raise BadRequest(400, "invalid model name")
        stored = self._store.find(source)
        if stored is None:
            raise BadRequest(404, f'model "{body["source"]}" not found')
        self._store.save_manifest(target, stored.path.read_bytes())
        return Response(200)

    def create(self, request: Request) -> Response:
        """Only `from` with parameters, system, template: what an alias needs."""
        body = requests.decode(
            request.body, "CreateRequest", {"model": str, "from": str, "parameters": dict, "stream": bool}
        )
        name = names.parse(str(body.get("model", "")))
        if name is None:
            raise BadRequest(400, "invalid model name")
        if not body.get("from"):
            raise BadRequest(400, "neither 'from' or 'files' was specified")
        stored = lookup(self._store, str(body["from"]))
        manifest = json.loads(stored.path.read_bytes())
        layers = manifest["layers"]
        parameters = self._store.params(stored) | requests.options({}, body.get("parameters") or {})
        for kind, text in (
            ("params", json.dumps(parameters) if parameters else ""),
            ("system", body.get("system", "")),
            ("template", body.get("template", "")),
        ):
            if text:
                layers[:] = [layer for layer in layers if layer["mediaType"] != MEDIA + kind]
                layers.append({"mediaType": MEDIA + kind, **self._store.save_blob(str(text).encode())})
        self._store.save_manifest(name, json.dumps(manifest, separators=(",", ":")).encode())
        records = [{"status": f"using existing layer {layer['digest']}"} for layer in layers]
        records += [{"status": "writing manifest"}, {"status": "success"}]
        if body.get("stream", True):
            return Response(200, b"", NDJSON, stream=(dumps(record).encode() + b"\n" for record in records))
        return _plain({"status": "success"})


def _plain(value: Any, status: int = 200) -> Response:
    """What a request without a stream gets where there could be one: its type comes without a charset."""
    return Response(status, dumps(value).encode(), "application/json")


def _parameter_lines(parameters: dict[str, Any]) -> list[tuple[str, str]]:
    lines = []
    for key, value in parameters.items():
        items = value if isinstance(value, list) else [value]
        lines += [(key, json.dumps(item) if isinstance(item, str) else str(item).lower()) for item in items]
    return lines


def _model_info(model: gguf.Model, verbose: bool) -> dict[str, Any]:
    hidden = ("general.name", "tokenizer.chat_template", gguf.LAB_SIZE)
    info = {key: value for key, value in model.keys.items() if key not in hidden}
    info["general.parameter_count"] = model.parameters
    return {key: None if isinstance(info[key], list) and not verbose else info[key] for key in sorted(info)}
