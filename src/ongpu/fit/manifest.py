"""Where a model lies in a registry, and what its manifest says (OCI distribution, as Ollama uses it). Pure."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.foreseen import Kind

DEFAULT_REGISTRY = "registry.ollama.ai"
MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_NAME = re.compile(
    r"(?:(?P<scheme>https?)://)?(?:(?P<host>[A-Za-z0-9.-]+(?::\d+)?)/(?=[^/]+/))?"
    r"(?:(?P<space>[\w.-]+)/)?(?P<model>[\w.-]+)(?::(?P<tag>[\w.-]+))?",
    re.ASCII,
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KIND = "application/vnd.ollama.image."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model lies: `base` is the URL of its repository, `tag` its tag."""

    base: str
    tag: str


@dataclass(frozen=True, slots=True)
class Layer:
    """`kind` is the end of its media type: `model`, `projector`, `params`, `tensor`, ...; empty for the config."""

    kind: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """`digests`: sha256 (hex) of the text as it came, with a last newline, and written compactly: Ollama names a model
    by that of the manifest file in its store, and which of them that is depends on its version."""

    layers: tuple[Layer, ...]
    digests: tuple[str, ...]

    def of(self, kind: str) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.kind == kind)

    @property
    def kind(self) -> Kind:
        """Without weights it is a cloud model: its config names who runs it."""
        if self.of("model"):
            return "gguf"
        return "safetensors" if self.of("tensor") else "remote"

    @property
    def size_bytes(self) -> int:
        return sum(layer.size_bytes for layer in self.layers)


def place_of(name: str) -> Place | None:
    """`llama3.1:8b`, `user/model`, `host/user/model:tag`, `http://host/user/model`. None if it is no name."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    scheme, host, space = found["scheme"] or "https", found["host"] or DEFAULT_REGISTRY, found["space"] or "library"
    return Place(f"{scheme}://{host}/v2/{space}/{found['model']}", found["tag"] or "latest")


def parse(text: str, name: str = "the model") -> Manifest:
    """Raises InsufficientFacts for what is no manifest."""
    try:
        value = json.loads(text)
        layers = [_layer(one) for one in value["layers"]]
        if value.get("config"):
            layers.append(_layer({**value["config"], "mediaType": ""}))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InsufficientFacts(f"{name}: the registry's answer is no manifest") from None
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    body = text.strip("\n")
    digests = dict.fromkeys(hashlib.sha256(one.encode()).hexdigest() for one in (body, body + "\n", compact))
    return Manifest(tuple(layers), tuple(digests))


def _layer(value: dict[str, object]) -> Layer:
    media, digest, size = value["mediaType"], value["digest"], value["size"]
    good = isinstance(media, str) and isinstance(digest, str) and _DIGEST.fullmatch(digest)
    if not good or type(size) is not int or not 0 <= size < 2**50:
        raise ValueError(value)
    return Layer(str(media).removeprefix(_KIND), str(digest), size)
