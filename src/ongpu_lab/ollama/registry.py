"""The tree of the lab's model registry: static files under `v2/library/MODEL/{manifests/TAG,blobs/sha256:HEX}`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .catalogue import Entry
from .standin.gguf import LAB_SIZE as SIZE_KEY
from .standin.gguf import read
from .standin.store import LAB_SIZE, MEDIA

_CONFIG = "application/vnd.docker.container.image.v1+json"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def write(entry: Entry, root: Path) -> None:
    """Put one model below `root`."""
    base = root / "v2" / "library" / entry.model
    (base / "manifests").mkdir(parents=True, exist_ok=True)
    (base / "blobs").mkdir(exist_ok=True)
    model = _blob(base, entry.blob)
    header = read(base / "blobs" / model["digest"])
    # The one deviation from a real registry: the layer says how large the blob would be with its tensor data.
    model = {"mediaType": MEDIA + "model", **model, "annotations": {LAB_SIZE: str(header.keys[SIZE_KEY])}}
    layers = [model, {"mediaType": MEDIA + "template", **_blob(base, entry.template.encode())}]
    if entry.licence:
        layers.append({"mediaType": MEDIA + "license", **_blob(base, entry.licence.encode())})
    if entry.params:
        layers.append({"mediaType": MEDIA + "params", **_blob(base, json.dumps(entry.params).encode())})
    config = {
        "model_format": "gguf",
        "model_family": header.arch,
        "model_families": [header.arch],
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


def _blob(base: Path, data: bytes) -> dict[str, Any]:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    (base / "blobs" / digest).write_bytes(data)
    return {"digest": digest, "size": len(data)}
