"""Pulling a model: manifest, blobs with resume, checksums, manifest file (server/download.go, server/images.go)."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import envconfig, golog, lab
from .gojson import human_bytes
from .names import Name
from .registry_client import RegistryError, Reply, base_url, request
from .store import Store, true_size

PART = 100_000_000  # bytes of one ranged request
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_ATTEMPTS = 6
_BLOCK = 65536
_guard = threading.Lock()
_locks: dict[str, threading.Lock] = {}


def pull(store: Store, name: Name, insecure: bool, closed: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """The status records in their order. Raises RegistryError, or OSError for a local reason."""
    yield {"status": "pulling manifest"}
    knobs = lab.Knobs()
    base = base_url(name, insecure)
    old = store.find(name)
    raw = _manifest(base, name, knobs)
    manifest = json.loads(raw)
    layers = [*manifest["layers"], *([manifest["config"]] if manifest.get("config", {}).get("digest") else [])]
    fetched = set()
    for layer in layers:
        with _lock_of(layer["digest"]):
            if store.blob(layer["digest"]).exists():
                yield _progress(layer, layer["size"])
                continue
            yield from _download(store, base, layer, knobs, closed)
            fetched.add(layer["digest"])
    yield {"status": "verifying sha256 digest"}
    for layer in layers:
        if layer["digest"] in fetched:
            _verify(store, layer["digest"])
    yield {"status": "writing manifest"}
    store.save_manifest(name, raw)
    if old and not envconfig.boolean("OLLAMA_NOPRUNE"):
        yield from _remove_old(store, old.data, layers)
    yield {"status": "success"}


def _lock_of(digest: str) -> threading.Lock:
    """Two pulls of the same blob wait for one another."""
    with _guard:
        return _locks.setdefault(digest, threading.Lock())


def _manifest(base: str, name: Name, knobs: lab.Knobs) -> bytes:
    if status := int(knobs.number("pull", "status")):
        raise RegistryError(
            f"pull model manifest: {status}: " if status != 404 else "pull model manifest: file does not exist"
        )
    try:
        reply = request("GET", f"{base}/manifests/{name.tag}", {"Accept": _MANIFEST})
    except RegistryError as error:
        raise RegistryError(f"pull model manifest: {error}") from error
    with contextlib.closing(reply):
        body = reply.read()
        if reply.status == 404:
            raise RegistryError("pull model manifest: file does not exist")
        if reply.status == 401:
            raise RegistryError("pull model manifest: unauthorized: access denied")
        if reply.status >= 400:
            raise RegistryError(f"pull model manifest: {reply.status}: {body.decode(errors='replace')}")
        return body


def _progress(layer: dict[str, Any], done: int) -> dict[str, Any]:
    """Progress counts in the size of the real blob, of which the lab's holds a part."""
    total = true_size(layer)
    completed = total if done >= layer["size"] else total * done // max(1, layer["size"])
    record: dict[str, Any] = {"status": f"pulling {layer['digest'][7:19]}", "digest": layer["digest"], "total": total}
    return record | ({"completed": completed} if completed else {})


def _download(
    store: Store, base: str, layer: dict[str, Any], knobs: lab.Knobs, closed: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    digest, size = layer["digest"], layer["size"]
    head = _checked(request("HEAD", f"{base}/blobs/{digest}"))
    if head.status in (301, 302, 303, 307, 308):  # Go's client follows it
        head.close()
        head = _checked(request("HEAD", head.headers.get("Location", "")))
    size = int(head.headers.get("Content-Length") or size)
    head.close()
    golog.info(
        "download.go:181", f"downloading {digest[7:19]} in {-(-size // PART)} {human_bytes(min(size, PART))} part(s)"
    )
    direct = _direct_url(f"{base}/blobs/{digest}")
    partial = Path(f"{store.blob(digest)}-partial")
    state = Path(f"{partial}-0")
    with contextlib.suppress(OSError, ValueError):
        if not state.exists() or not partial.exists():
            partial.unlink(missing_ok=True)
    done = _resume_at(state) if partial.exists() else 0
    with partial.open("r+b" if partial.exists() else "w+b") as file:
        with contextlib.suppress(OSError):
            file.truncate(size)  # sparse and of full size at once, as the real one
        cuts = {"left": 1 if knobs.number("pull", "cut_after") else 0}
        yield _progress(layer, done)
        for attempt in range(_ATTEMPTS):
            if done >= size:
                break
            try:
                for block in _ranged(direct, done, size, knobs, cuts):
                    _write(file.fileno(), block, done, partial)
                    done += len(block)
                    state.write_text(json.dumps({"N": 0, "Offset": 0, "Size": size, "Completed": done}))
                    yield _progress(layer, done)
                    if closed():
                        raise RegistryError("context canceled")
            except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
                golog.info(
                    "download.go:380",
                    f"{digest[7:19]} part 0 attempt {attempt} failed: {str(error) or 'unexpected EOF'}, retrying",
                )
        if done < size:
            raise RegistryError("max retries exceeded: unexpected EOF")
    state.unlink(missing_ok=True)
    partial.rename(store.blob(digest))
    yield _progress(layer, size)


def _write(descriptor: int, block: bytes, offset: int, path: Path) -> None:
    try:
        os.pwrite(descriptor, block, offset)
    except OSError as error:
        raise RegistryError(f"write {path}: {(error.strerror or '').lower()}") from error


def _resume_at(state: Path) -> int:
    try:
        return int(json.loads(state.read_text())["Completed"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _checked(reply: Reply) -> Reply:
    if reply.status < 400:
        return reply
    body = reply.read().decode(errors="replace")
    reply.close()
    raise RegistryError("file does not exist" if reply.status == 404 else f"{reply.status}: {body}")


def _direct_url(url: str) -> str:
    """Where the blob really is: the registry says it in a Location header, with a redirect or without."""
    reply = _checked(request("GET", url))
    reply.close()
    location = reply.headers.get("Location")
    if not location:
        raise RegistryError("http: no Location header in response")
    return location


def _ranged(url: str, start: int, size: int, knobs: lab.Knobs, cuts: dict[str, int]) -> Iterator[bytes]:
    """The bytes from `start` on, in parts."""
    limit = int(knobs.number("pull", "cut_after"))
    while start < size:
        end = min(start + PART, size) - 1
        reply = _checked(request("GET", url, {"Range": f"bytes={start}-{end}"}))
        with contextlib.closing(reply):
            sent = 0
            while start <= end:
                block = reply.read(min(_BLOCK, end + 1 - start))
                if not block:
                    raise ConnectionError("unexpected EOF")
                if cuts["left"] and sent + len(block) >= limit:
                    cuts["left"] -= 1
                    yield _altered(block[: max(1, limit - sent)], start, knobs)
                    raise ConnectionError("unexpected EOF")
                yield _altered(block, start, knobs)
                start, sent = start + len(block), sent + len(block)


def _altered(block: bytes, offset: int, knobs: lab.Knobs) -> bytes:
    if offset == 0 and knobs.flag("pull", "corrupt"):
        return bytes([block[0] ^ 1]) + block[1:]
    return block


def _verify(store: Store, digest: str) -> None:
    with store.blob(digest).open("rb") as file:
        got = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    if got != digest:
        store.blob(digest).unlink()
        raise RegistryError(f"digest mismatch, file must be downloaded again: want {digest}, got {got}")


def _remove_old(store: Store, old: dict[str, Any], layers: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Blobs of the previous manifest that nothing names any more."""
    kept = {layer["digest"] for layer in layers}
    gone = [layer["digest"] for layer in [old["config"], *old["layers"]] if layer["digest"] not in kept]
    if gone:
        yield {"status": "removing unused layers"}
        store.prune()
