"""Where `ongpu diagnose --from` gets its evidence: files, directories, standard input. The I/O part."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from ongpu.errors import OngpuError
from ongpu.host import codec
from ongpu.host.result import HostResult
from ongpu.rules.from_snapshot import evidence_from
from ongpu.rules.host_result import diagnosed
from ongpu.rules.recognise import evidence_of

MOST_BYTES = 256 * 2**20


def results_from(source: str) -> Iterator[HostResult]:
    """One result per snapshot or case; all other text of one source is one host's evidence.

    `-` is standard input. In a directory, each snapshot or case (`*.json`) is a host of its own, and all other files
    together are one. Raises OngpuError for what is not there, not readable, or empty.
    """
    if source == "-":
        yield from _of_text("stdin", sys.stdin.buffer.read(MOST_BYTES).decode("utf-8", "replace"))
    elif Path(source).is_dir():
        yield from _of_directory(Path(source))
    else:
        path = Path(source)
        yield from _of_text(path.stem, _read(path), is_json=path.suffix == ".json", where=source)


def _of_directory(folder: Path) -> Iterator[HostResult]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise OngpuError(f"{folder}: no files in this directory")
    texts = {}
    for path in files:
        text = _read(path)
        if path.suffix == ".json" and text.lstrip().startswith("{") and ('"snapshot"' in text or '"evidence"' in text):
            yield from _of_text(path.stem, text, is_json=True, where=str(path))
        else:
            texts[path.stem if path.stem not in texts else str(path.relative_to(folder))] = text
    if texts:
        yield diagnosed(folder.resolve().name, evidence_of(texts))


def _of_text(name: str, text: str, is_json: bool = False, where: str = "") -> Iterator[HostResult]:
    if not text.strip():
        raise OngpuError(f"{where or name}: nothing in it; give a snapshot, a log or command outputs")
    bodies = _objects(text)
    if not bodies:
        if is_json:
            raise OngpuError(
                f"{where or name}: not JSON; expected an ongpu snapshot or an object with the key `evidence`"
            )
        yield diagnosed(name, evidence_of({"paste": text}))
    for number, body in enumerate(bodies, 1):
        yield _of_object(name if len(bodies) == 1 else f"{name}:{number}", body, where or name)


def _objects(text: str) -> list[dict[str, object]]:
    """The JSON objects in the text: one in all, or one per line as `ongpu snapshot` prints; none for any other text."""
    if not text.lstrip().startswith("{"):
        return []
    for pieces in ([text], [line for line in text.split("\n") if line.strip()]):
        try:
            found = [json.loads(piece) for piece in pieces]
        except (ValueError, RecursionError):
            continue
        if all(isinstance(body, dict) and ("snapshot" in body or "evidence" in body) for body in found):
            return found
    return []


def _of_object(name: str, body: dict[str, object], where: str) -> HostResult:
    texts = body.get("evidence")
    if "snapshot" in body:
        return diagnosed(str(body.get("host") or name), evidence_from(codec.load(body, where)))
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise OngpuError(f'{where}: `evidence` has to be an object of texts, such as {{"ollama_log": "…"}}')
    return diagnosed(name, evidence_of({str(kind): str(text) for kind, text in texts.items()}))


def _read(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise OngpuError(f"{path}: {size >> 20} MiB is too much; give the last part: tail -n 100000 {path.name}")
        return path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise OngpuError(f"cannot read {path}: {error.strerror}") from None
