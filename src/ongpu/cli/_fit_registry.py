"""The header of a model in a registry, without pulling it: the manifest, and the first bytes of the model's layer."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from ongpu.fit import gguf
from ongpu.fit.description import Description, of_header
from ongpu.fit.facts import InsufficientFacts

_DEFAULT = "registry.ollama.ai"
_NAME = re.compile(
    r"(?:(?P<scheme>https?)://)?(?:(?P<host>[A-Za-z0-9.-]+(?::\d+)?)/(?=[^/]+/))?"
    r"(?:(?P<space>[\w.-]+)/)?(?P<model>[\w.-]+)(?::(?P<tag>[\w.-]+))?",
    re.ASCII,
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MODEL, _PROJECTOR = "application/vnd.ollama.image.model", "application/vnd.ollama.image.projector"
_SIZES = (64 * 1024, 1024 * 1024, 16 * 1024 * 1024, 64 * 1024 * 1024)
_MOST_MANIFEST = 1024 * 1024
_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model lies: `base` is the URL of its repository, `tag` its tag."""

    base: str
    tag: str


def place_of(name: str) -> Place | None:
    """`llama3.1:8b`, `user/model`, `host/user/model:tag`, `http://host/user/model`. None if it is no name."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    scheme, host, space = found["scheme"] or "https", found["host"] or _DEFAULT, found["space"] or "library"
    return Place(f"{scheme}://{host}/v2/{space}/{found['model']}", found["tag"] or "latest")


def fetch(name: str, place: Place) -> Description:
    """Asks the registry. Raises InsufficientFacts with one sentence for everything that can go wrong."""
    layers = _layers(name, place)
    models = [layer for layer in layers if layer["mediaType"] == _MODEL]
    if not models:
        raise InsufficientFacts(
            f"{name}: the registry has no GGUF model under this name (a cloud model or safetensors)"
        )
    projector = sum(layer["size"] for layer in layers if layer["mediaType"] == _PROJECTOR)
    url = f"{place.base}/blobs/{models[0]['digest']}"
    for size in _SIZES:
        try:
            header = gguf.parse(_get(name, url, min(size, models[0]["size"]), ranged=True))
            return of_header(name, header, projector)
        except gguf.CutOff:
            if size >= models[0]["size"]:
                break
    raise InsufficientFacts(f"{name}: the header of the model in the registry is cut off or larger than 64 MiB")


def _layers(name: str, place: Place) -> list[dict[str, Any]]:
    """The layers of a manifest: media type, digest and size of each, checked."""
    text = _get(name, f"{place.base}/manifests/{place.tag}", _MOST_MANIFEST)
    try:
        layers = json.loads(text)["layers"]
        for layer in layers:
            good = isinstance(layer["mediaType"], str) and _DIGEST.fullmatch(layer["digest"])
            if not good or type(layer["size"]) is not int or not 0 <= layer["size"] < 2**50:
                raise ValueError(layer)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InsufficientFacts(f"{name}: the registry's answer for {place.tag} is no manifest") from None
    return list(layers)


def _get(name: str, url: str, most: int, ranged: bool = False) -> bytes:
    """At most `most` bytes of an answer. `place_of` makes only http and https URLs."""
    headers = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    if ranged:
        headers = {"Range": f"bytes=0-{max(0, most - 1)}"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            body: bytes = answer.read(most)
            return body
    except urllib.error.HTTPError as error:
        why = "knows no such model" if error.code == 404 else f"answered {error.code}"
        raise InsufficientFacts(f"{name}: the registry {why} ({url})") from None
    except urllib.error.URLError as error:
        raise InsufficientFacts(
            f"{name}: the registry cannot be reached ({error.reason}); give a GGUF file or --model-info FILE instead"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise InsufficientFacts(f"{name}: the registry's answer broke off ({error!r})") from None
