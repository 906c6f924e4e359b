"""What Ollama's HTTP API says: its version, the models in the store, the models that are loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from ongpu.host.ollama import Api, LoadedModel, Model
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe import endpoint
from ongpu.probe.output import Output, Part
from ongpu.probe.section import Section

T = TypeVar("T")
Json = dict[str, object]

SECONDS = 5  # per question; /api/ps can hang for 20 s and more while /api/version answers (0.33.0-rc2)

SHELL = (
    endpoint.FIND
    + endpoint.URL
    + endpoint.HTTP
    + rf"""
said() {{ printf '%s\n' "$body"; return "$rc"; }}
find_ollama; url_of "$HOST"
p endpoint printf '%s %s %s\n' "$URL" "$SOURCE" "$PID"
if have curl || have wget; then
  body=$(http "$URL/api/version" {SECONDS} 2>&1); rc=$?
  p version said
  if [ "$rc" = 0 ]; then p tags http "$URL/api/tags" {SECONDS}; p ps http "$URL/api/ps" {SECONDS}; fi
else need version curl
fi
"""
)


def parse(output: Output) -> Known[Api] | Absent | Unreadable:
    """Always an Api if the endpoint is known: what could not be asked is so in its fields."""
    words = output["endpoint"].text.split()
    if output["endpoint"].trouble or len(words) != 3:
        return Unreadable(f"the address of the server: {output['endpoint'].trouble or 'no output'}")
    url, source, pid = words
    version = _answer(output["version"], f"{url}/api/version", _version)
    if isinstance(version, Absent) and source in ("guess", "unit") and pid != "0":
        version = Unreadable(f"{version.why}, but OLLAMA_HOST of process {pid} could not be read", "run as root (sudo)")
    match version:
        case Known():
            models = _answer(output["tags"], f"{url}/api/tags", _models)
            loaded = _answer(output["ps"], f"{url}/api/ps", _loaded)
            return Known(Api(endpoint=url, version=version, models=models, loaded=loaded), url)
        case blind:
            return Known(Api(endpoint=url, version=blind, models=blind, loaded=blind), url)


def _answer(part: Part, url: str, read: Callable[[Json], T]) -> Reading[T]:
    """The reading of one JSON answer. A refused connection is Absent: nothing listens there."""
    if part.missing:
        return Unreadable("no HTTP client", "install curl (or wget)")
    if part.rc is None:
        return Unreadable(f"{url}: cut off")
    body, status = _status(part)
    if part.rc:
        return _no_answer(part, url)
    if status != "200":
        return Unreadable(f"{url}: HTTP {status}: {_error(body)}")
    try:
        return Known(read(_object(json.loads(body))), url)
    except (ValueError, RecursionError) as error:
        return Unreadable(f"{url}: not the expected answer: {error}"[:300])


def _status(part: Part) -> tuple[str, str]:
    """Body and status code. curl prints the code last; wget fails by its exit code instead."""
    body, _, last = part.text.rstrip("\n").rpartition("\n")
    if len(last) == 3 and last.isascii() and last.isdecimal():
        return body, last
    return part.text, "200"


def _no_answer(part: Part, url: str) -> Absent | Unreadable:
    # curl: (7) Failed to connect to 127.0.0.1 port 11434 after 0 ms: Couldn't connect to server
    # wget: can't connect to remote host (127.0.0.1): Connection refused               (busybox 1.35)
    if part.rc == 7 or "Connection refused" in part.text:
        return Absent(f"nothing listens on {url.partition('/api/')[0]}")
    # curl: (28) Operation timed out after 5001 milliseconds with 0 bytes received; timeout(1) ends with 124 or 143
    if part.rc in (28, 124, 143):
        return Unreadable(f"{url}: no answer within {SECONDS} s")
    said = next((line for line in part.lines if "curl:" in line or "wget:" in line), "")
    return Unreadable(f"{url}: {said or part.trouble}"[:300])


def _error(body: str) -> str:
    """Ollama's own words: `{"error":"..."}`; a 403 has an empty body (Host header check)."""
    try:
        return str(_object(json.loads(body)).get("error", ""))[:200] or "no reason given"
    except (ValueError, RecursionError):
        return " ".join(body.split())[:200] or "no reason given"


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise ValueError(f"{type(value).__name__} instead of an object")
    return value


def _entries(answer: Json) -> list[Json]:
    """`{"models": [...]}`; Go writes an empty list as `[]` or `null`."""
    if "models" not in answer:
        raise ValueError("no `models`")
    entries = answer["models"] or []
    if not isinstance(entries, list):
        raise ValueError("`models` is no list")
    return [_object(entry) for entry in entries]


def _text(entry: Json, key: str, default: str | None = None) -> str:
    value = entry.get(key, default)
    if not isinstance(value, str):
        raise ValueError(f"`{key}` is {value!r:.40}, not text")
    return value


def _number(entry: Json, key: str) -> int:
    value = entry.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"`{key}` is {value!r:.40}, not a whole number")
    return value


def _version(answer: Json) -> str:
    return _text(answer, "version")


def _models(answer: Json) -> tuple[Model, ...]:
    return tuple(_model(entry) for entry in _entries(answer))


def _model(entry: Json) -> Model:
    details = _object(entry.get("details") or {})
    return Model(
        name=_text(entry, "name"),
        digest=_text(entry, "digest").removeprefix("sha256:"),
        size_bytes=_number(entry, "size"),
        family=_text(details, "family", ""),
        parameter_size=_text(details, "parameter_size", ""),
        quantization=_text(details, "quantization_level", ""),
        remote=bool(entry.get("remote_host") or entry.get("remote_model")),
    )


def _loaded(answer: Json) -> tuple[LoadedModel, ...]:
    return tuple(
        LoadedModel(
            name=_text(entry, "name"),
            digest=_text(entry, "digest").removeprefix("sha256:"),
            size_bytes=_number(entry, "size"),
            size_vram_bytes=_number(entry, "size_vram"),
            context_length=_number(entry, "context_length") if "context_length" in entry else None,
            expires_at=_text(entry, "expires_at", ""),
        )
        for entry in _entries(answer)
    )


SECTION = Section(name="api", shell=SHELL, parse=parse, seconds=25, max_bytes=1_000_000)
