"""Reading recorded exchanges, and comparing what the stand-in answers with them."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parents[2] / "recordings/ollama-contract"


@dataclass(frozen=True)
class Exchange:
    """One `.http` file: what was asked and what came back."""

    name: str
    method: str
    path: str
    request_headers: dict[str, str]
    request_body: bytes | None
    status: int
    headers: dict[str, str]
    body: bytes

    def records(self) -> list[Any]:
        """The JSON of the answer, line by line."""
        return [json.loads(line) for line in self.body.splitlines() if line.strip()]


def exchanges(folder: str) -> list[Exchange]:
    return [exchange(path) for path in sorted((RECORDINGS / folder).glob("*.http"))]


def exchange(path: Path) -> Exchange:
    head, _, body = path.read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    comments = [line[2:] for line in head.decode().splitlines() if line.startswith("# ")]
    lines = [line for line in head.decode().splitlines() if not line.startswith("#")]
    method, _, target = comments[0].partition(" ")
    asked: dict[str, str] = {}
    sent = None
    for line in comments[1:]:
        key, _, value = line.partition(": ")
        if key == "request body":
            sent = value.encode()
        elif key == "extra headers":
            asked = ast.literal_eval(value)
    headers = {name: value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return Exchange(
        f"{path.parent.name}/{path.stem}", method, target, asked, sent, int(lines[0].split()[1]), headers, body
    )


_NUMBER = "number"


def shape(value: Any) -> Any:
    """The keys and types of a JSON value; a list has the shape of its first element."""
    match value:
        case dict():
            return {key: shape(item) for key, item in value.items()}
        case list():
            return [shape(value[0])] if value else []
        case bool() | None:
            return type(value).__name__
        case int() | float():
            return _NUMBER
        case _:
            return type(value).__name__


# What stands in every line and is another at each run
_CHANGING = (
    (re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]"), ""),
    (re.compile(r"sha256-[0-9a-f]{64}"), "BLOB"),
    (re.compile(r"time=\S+ "), ""),
    (re.compile(r"source=\S+ "), ""),
    (re.compile(r"(/[\w.@+-]+)+"), "PATH"),
    (re.compile(r"\d+(\.\d+)?(µs|ms|s)\b"), "DURATION"),
    (re.compile(r"\((unknown id|\w{4}:\w\w:\w\w\.\d)\)"), "(PCI)"),
    (re.compile(r"\b(CUDA|Vulkan)(\d|_Host|\b)"), r"GPU\2"),
    (re.compile(r"(?<=CPU     : ).*(?= \(\d+ MiB,)"), "CARD"),
    (re.compile(r"(llvmpipe \(LLVM [^)]*\)|NVIDIA GeForce RTX \d+)"), "CARD"),
    (re.compile(r"\d+(\.\d+)*"), "N"),
    (re.compile(r"[ \t]+"), " "),
)


def normalised(line: str) -> str:
    """A log line without what changes from run to run: times, paths, numbers, the name of the card."""
    for pattern, replacement in _CHANGING:
        line = pattern.sub(replacement, line)
    return line.strip()


def log_lines(name: str) -> list[str]:
    return (RECORDINGS / "logs" / name).read_text(errors="replace").splitlines()
