"""The model store: `manifests/HOST/NAMESPACE/MODEL/TAG` and `blobs/sha256-HEX`, as Ollama lays them out."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import gguf
from .gojson import human_number
from .names import Name

MEDIA = "application/vnd.ollama.image."
# Added to a layer of the lab's registry: how large the real blob is (the lab's holds a header only).
LAB_SIZE = "org.ongpu.lab.size"
_PARTIAL_AGE = 3600  # seconds after which a partial download is removed at start


class StoreError(Exception):
    """The models directory cannot be used; the text is the one that `ollama serve` ends with."""


@dataclass(frozen=True)
class Stored:
    """A manifest of the store."""

    name: Name
    path: Path
    digest: str
    data: dict[str, Any]

    def layer(self, kind: str) -> dict[str, Any] | None:
        return next((layer for layer in self.data["layers"] if layer["mediaType"] == MEDIA + kind), None)

    @property
    def size(self) -> int:
        return sum(true_size(layer) for layer in [self.data["config"], *self.data["layers"]])


def true_size(layer: dict[str, Any]) -> int:
    """Bytes of a layer as the real registry would have it."""
    return int(layer.get("annotations", {}).get(LAB_SIZE, layer["size"]))


class Store:
    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Make the directories that are missing. Raises StoreError."""
        for path in (self.root, self.blobs):
            try:
                path.mkdir(parents=True, exist_ok=True)
                os.listdir(path)
            except OSError as error:
                failed = path if isinstance(error, PermissionError) or path.parent.exists() else path.parent
                reason = "not a directory" if isinstance(error, FileExistsError) else (error.strerror or "").lower()
                raise StoreError(f"mkdir {failed}: {reason}: ensure path elements are traversable") from error

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    def blob(self, digest: str) -> Path:
        return self.blobs / digest.replace(":", "-")

    def manifest_path(self, name: Name) -> Path:
        return self.root / "manifests" / name.path()

    def find(self, name: Name) -> Stored | None:
        """None if there is no such manifest, or it cannot be read as one."""
        path = self.manifest_path(name)
        try:
            raw = path.read_bytes()
            data = json.loads(raw)
            return Stored(name, path, hashlib.sha256(raw).hexdigest(), data)
        except (OSError, ValueError):
            return None

    def all(self) -> Iterator[Stored]:
        base = self.root / "manifests"
        for path in sorted(base.glob("*/*/*/*")):
            stored = self.find(Name(*path.relative_to(base).parts))
            if stored:
                yield stored

    def model(self, stored: Stored) -> gguf.Model:
        """The model's header. Raises FileNotFoundError or gguf.NotGguf."""
        layer = stored.layer("model")
        if layer is None:
            raise FileNotFoundError("no model layer")
        return gguf.read(self.blob(layer["digest"]))

    def projector(self, stored: Stored) -> gguf.Model | None:
        """The header of the model's projector, None if it has none. Raises as `model` does."""
        layer = stored.layer("projector")
        return gguf.read(self.blob(layer["digest"])) if layer else None

    def params(self, stored: Stored) -> dict[str, Any]:
        """The parameters of the Modelfile."""
        layer = stored.layer("params")
        return dict(json.loads(self.blob(layer["digest"]).read_text())) if layer else {}

    def text(self, stored: Stored, kind: str) -> str:
        layer = stored.layer(kind)
        return self.blob(layer["digest"]).read_text() if layer else ""

    def save_manifest(self, name: Name, raw: bytes) -> None:
        path = self.manifest_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)

    def save_blob(self, data: bytes) -> dict[str, Any]:
        """Store bytes; a layer without its media type."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blob(digest).write_bytes(data)
        return {"digest": digest, "size": len(data)}

    def delete(self, stored: Stored) -> None:
        """Remove a manifest, and the blobs that no other needs."""
        stored.path.unlink()
        for folder in list(stored.path.parents)[:3]:
            with contextlib.suppress(OSError):
                folder.rmdir()
        used = self._used()
        for layer in [stored.data["config"], *stored.data["layers"]]:
            if layer["digest"] not in used:
                self.blob(layer["digest"]).unlink(missing_ok=True)

    def _used(self) -> set[str]:
        return {layer["digest"] for stored in self.all() for layer in [stored.data["config"], *stored.data["layers"]]}

    def prune(self) -> tuple[int, int]:
        """Remove blobs that no manifest names, and old partial downloads; blobs before, and removed."""
        used = {digest.replace(":", "-") for digest in self._used()}
        before = removed = 0
        for path in list(self.blobs.iterdir()):
            if "-partial" in path.name:
                if time.time() - path.stat().st_mtime > _PARTIAL_AGE:
                    path.unlink(missing_ok=True)
                continue
            before += 1
            if path.name not in used:
                path.unlink(missing_ok=True)
                removed += 1
        return before, removed


def family(model: gguf.Model) -> str:
    """Ollama's name of the architecture."""
    return "gptoss" if model.arch == "gpt-oss" else model.arch


def details(model: gguf.Model, projector: bool = False) -> dict[str, Any]:
    """`details` of the API."""
    return {
        "parent_model": "",
        "format": "gguf",
        "family": family(model),
        "families": [family(model), *(["clip"] if projector else [])],
        "parameter_size": human_number(model.parameters),
        "quantization_level": model.quantization,
    }


_THINKING = ("gpt-oss", "qwen3", "qwen3moe")


def capabilities(model: gguf.Model, projector: bool = False) -> list[str]:
    """What the model can do, as the API says it; the real server reads it from header, template and projector."""
    if model.get("pooling_type") is not None:
        return ["embedding"]
    if projector:
        return ["completion", "vision"]
    if model.arch in _THINKING:
        return ["completion", "tools", "thinking"]
    if model.arch == "llama" and model.get("context_length", 0) > 100_000:
        return ["completion", "tools"]
    return ["completion"]
