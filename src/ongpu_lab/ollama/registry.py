"""The tree of the lab's model registry: static files under `v2/library/MODEL/{manifests/TAG,blobs/sha256:HEX}`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .catalogue import Entry
from .standin.gguf import LAB_SIZE as SIZE_KEY
from .standin.gguf import Model, read
from .standin.store import LAB_SIZE, MEDIA, family

_CONFIG = "application/vnd.docker.container.image.v1+json"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def write(entry: Entry, root: Path) -> None:
    """Put one model below `root`."""
    base = root / "v2" / "library" / entry.model
    (base / "manifests").mkdir(parents=True, exist_ok=True)
    (base / "blobs").mkdir(exist_ok=True)
    model, header = _weights(base, "model", entry.blob)
    layers = [model]
    if entry.projector:
        layers.append(_weights(base, "projector", entry.projector)[0])
    layers.append({"mediaType": MEDIA + "template", **_blob(base, entry.template.encode())})
    if entry.licence:
        layers.append({"mediaType": MEDIA + "license", **_blob(base, entry.licence.encode())})
    if entry.params:
        layers.append({"mediaType": MEDIA + "params", **_blob(base, json.dumps(entry.params).encode())})
    config = {
        "model_format": "gguf",
        "model_family": family(header),
        "model_families": [family(header), *(["clip"] if entry.projector else [])],
        "file_type": header.quantization,
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, **_blob(base, json.dumps(config).encode())},
        "layers": layers,
    }
    (base / "manifests" / entry.tag).write_text(json.dumps(manifest, separators=(",", ":")))


def _weights(base: Path, kind: str, blob: bytes) -> tuple[dict[str, Any], Model]:
    """A layer of weights. Its one deviation from a real registry: it says how large the blob is with tensor data."""
    stored = _blob(base, blob)
    header = read(base / "blobs" / stored["digest"])
    return {"mediaType": MEDIA + kind, **stored, "annotations": {LAB_SIZE: str(header.keys[SIZE_KEY])}}, header


def _blob(base: Path, data: bytes) -> dict[str, Any]:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    (base / "blobs" / digest).write_bytes(data)
    return {"digest": digest, "size": len(data)}
