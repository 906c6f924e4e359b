"""What the server said at its start: its settings and the devices that it found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ongpu.host.ollama_log.text import clean, record, size_bytes
from ongpu.host.ollama_log.types import Discovery, Record

# A key in Go's `map[A:1 B:2]`: Ollama's variables are upper case, but for the proxies' lower-case twins.
_KEY = re.compile(r"(?:^| )([A-Z][A-Z0-9_]*|https?_proxy|no_proxy|all_proxy):")


def records(lines: Iterable[str]) -> tuple[Record, ...]:
    """Every line of Ollama's own logger, in order (for rules that look for one message)."""
    found = (record(clean(line)) for line in lines)
    return tuple(entry for entry in found if entry)


def discoveries(lines: Iterable[str]) -> tuple[Discovery, ...]:
    """The devices of the last server start in the lines: one Discovery per `inference compute` line.

    Empty = no such line (start not in the lines, WARN level, or a server that has not finished looking): that
    is unknown, not "no GPU". "No GPU" is a Discovery with `is_cpu`.
    """
    found: list[Discovery] = []
    for entry in records(lines):
        if entry.message == "server config":
            found.clear()
        elif entry.message == "inference compute":
            found.append(_discovery(entry.attrs))
    return tuple(found)


def server_config(lines: Iterable[str]) -> Mapping[str, str]:
    """The settings of the last server start, after Ollama's own parsing (`OLLAMA_DEBUG` is then `INFO`).

    Empty when the line is missing (start not in the lines, or WARN level).
    """
    config: Mapping[str, str] = {}
    for entry in records(lines):
        if entry.message == "server config":
            config = go_map(entry.attrs.get("env", ""))
    return config


def go_map(text: str) -> dict[str, str]:
    """`map[A:1 B:[x y] C:]` -> {"A": "1", "B": "[x y]", "C": ""}; values may hold spaces and colons."""
    body = text.removeprefix("map[").removesuffix("]")
    values: dict[str, str] = {}
    at = 0
    while key := _KEY.search(body, at):
        start = key.end()
        if body.startswith("[", start) and (close := body.find("]", start)) > 0:
            end = close + 1
        else:
            following = _KEY.search(body, start)
            end = following.start() if following else len(body)
        values[key[1]] = body[start:end]
        at = end
    return values


def _discovery(attrs: Mapping[str, str]) -> Discovery:
    # 0.33.0: id=0 filter_id=0 library=CUDA compute=8.9 name=CUDA0 description="NVIDIA GeForce RTX 4060"
    #         libdirs=ollama,cuda_v13 driver=13.0 pci_id=0000:01:00.0 type=discrete total="8.0 GiB" available="7.6 GiB"
    # 0.6.3:  id=GPU-… library=cuda variant=v12 compute=9.0 driver=12.4 name="NVIDIA H100 80GB HBM3" total=… available=…
    # no GPU: id=cpu library=cpu compute="" name=cpu description=cpu … total="23.5 GiB" available="22.0 GiB"
    library = attrs.get("library", "").lower()
    return Discovery(
        id=attrs.get("id", ""),
        library=library,
        compute=attrs.get("compute", ""),
        name=attrs.get("description") or attrs.get("name", ""),
        libdirs=tuple(part for part in attrs.get("libdirs", "").split(",") if part),
        driver=attrs.get("driver", ""),
        pci_id=attrs.get("pci_id", "").lower(),
        total_bytes=size_bytes(attrs.get("total", "")),
        available_bytes=size_bytes(attrs.get("available", "")),
        is_cpu=library == "cpu" or attrs.get("id") == "cpu",
    )
