"""Wordings as programs print them and people paste them: `wordings_seen/*.txt`.

A block begins with `### CAUSE` (or `### CAUSE, OTHER` where more than one answer is right on this evidence; `healthy`
for none). A line `-- KIND` begins another piece of evidence in it, as in a recorded case.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "wordings_seen"


@dataclass(frozen=True, slots=True)
class Seen:
    name: str
    causes: tuple[str, ...]
    evidence: dict[str, str]


def blocks() -> list[Seen]:
    found = []
    for file in sorted(FOLDER.glob("*.txt")):
        for number, block in enumerate(file.read_text(encoding="utf-8").split("### ")[1:]):
            head, _, body = block.partition("\n")
            causes = tuple(cause.strip() for cause in head.split(","))
            found.append(Seen(f"{file.stem}-{number}-{causes[0]}", causes, _pieces(body)))
    return found


def recorded() -> list[tuple[str, dict[str, str]]]:
    """Each recorded scenario: its service's variables, the lines that a snapshot's journal would keep, `/api/ps`."""
    text = (FOLDER.parent.parent / "recordings" / "ollama-verdicts.txt").read_text(encoding="utf-8")
    parts = (block.partition("\n") for block in text.split("### ")[1:])
    return [(name, _pieces(body)) for name, _, body in parts]


def _pieces(body: str) -> dict[str, str]:
    pieces: dict[str, list[str]] = {}
    kind = "paste"
    for line in body.rstrip("\n").split("\n"):
        if line.startswith("-- ") and line[3:].isidentifier():
            kind = line[3:]
            pieces[kind] = []
        else:
            pieces.setdefault(kind, []).append(line)
    return {kind: "\n".join(lines) for kind, lines in pieces.items()}
