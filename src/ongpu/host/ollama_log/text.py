"""From a journal line to its text, and from Go's log format to a Record. Never raises, linear time."""

from __future__ import annotations

import re
from functools import lru_cache

from ongpu.host.ollama_log.types import Record

GAP = "-- ongpu: lines left out here --"

_MAX_LINE = 16384
# \x1b[0m around a word: llama-server with LLAMA_ARG_LOG_COLORS=on
_ANSI = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
# Jan 15 10:34:34 gpuhost ollama[1234]: TEXT            (journalctl, any locale's month)
# 2026-11-22T12:26:21+0000 gpuhost ollama[1234]: TEXT   (journalctl -o short-iso)
_JOURNAL = re.compile(r"^[^\[]{0,40}\d\d:\d\d:\d\d[^\[]{1,100}\[\d{1,10}\]: ")
# ollama  | TEXT            (docker compose logs)
_COMPOSE = re.compile(r"^[\w.-]{1,60} {1,20}\| ")
# time=2026-11-22T12:26:21.281Z level=INFO source=types.go:32 msg="inference compute" id=0   (0.7.0 and later)
# level=INFO source=ggml.go:494 msg="offloaded 29/37 layers to GPU"                          (pasted without time)
_SLOG = re.compile(r"(?:time=(?P<time>[^\s\"]+) +)?(?<![\w.])level=(?P<level>[A-Z]+)(?:[+-]\d+)?(?= )")
# 2024/11/17 17:53:44 routes.go:1189: INFO server config env="map[...]"                      (before 0.7.0)
_OLD = re.compile(r"^(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \w+\.go:\d+: (?:(?P<level>DEBUG|INFO|WARN|ERROR) )?")
# Suppressed 25 messages from ollama.service              (systemd 252 and 257, at the next message that passes)
_SUPPRESSED = re.compile(r"^Suppressed (\d{1,12}) messages? from ")
# name="quoted \" value"   name=value   "model layers"=27
_PAIR = re.compile(
    r'(?<!\S)(?:"(?P<quoted>[^"]{1,100})"|(?P<key>[^\s="]{1,200}))=(?:"(?P<text>(?:[^"\\]|\\.)*)"|(?P<word>\S*))'
)
_ESCAPE = re.compile(r"\\(?:(?P<simple>[abfnrtv\\\"'])|x(?P<hex>[0-9a-fA-F]{2})|u(?P<u4>[0-9a-fA-F]{4}))")
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
# 23.6 GiB   457.0 MiB   0 B   (Go's format.HumanBytes2; decimal units in older lines)
_SIZE = re.compile(r"^(\d{1,12}(?:\.\d{1,6})?) ?(B|[KMGT]i?B)$")
_UNITS = (
    {"B": 1}
    | {f"{p}iB": 1024**n for n, p in enumerate("KMGT", 1)}
    | {f"{p}B": 1000**n for n, p in enumerate("KMGT", 1)}
)


def suppressed(text: str) -> int:
    """How many messages journald says that it dropped; 0 for any other line. `text` as from `clean`."""
    found = _SUPPRESSED.match(text) if text.startswith("Supp") else None
    return int(found[1]) if found else 0


def clean(line: str) -> str:
    """The message of a line: without journalctl's or compose's prefix, colours and carriage returns."""
    text = line[:_MAX_LINE].rstrip("\r\n")
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "]: " in text:
        text = _JOURNAL.sub("", text, count=1)
    return _COMPOSE.sub("", text, count=1) if " | " in text else text


@lru_cache(maxsize=2048)  # the proof, the rules and the discovery read one host's lines; a Record is not changed
def record(text: str) -> Record | None:
    """The line as a Record, if it comes from Ollama's own logger. `text` as from `clean`."""
    if "level=" in text and (found := _SLOG.search(text)):
        attrs = _attributes(text[found.end() :])
        if "msg" not in attrs:
            return None
        return Record(time=found["time"] or "", level=found["level"], message=attrs.pop("msg"), attrs=attrs)
    if found := _OLD.match(text):
        rest = text[found.end() :]
        first = _PAIR.search(rest)
        message = rest[: first.start()] if first else rest
        return Record(
            time=found["time"],
            level=found["level"] or "INFO",
            message=message.strip(),
            attrs=_attributes(rest[first.start() :]) if first else {},
        )
    return None


def size_bytes(text: str) -> int | None:
    """`23.6 GiB` -> 25340608348 (as exact as the text). None if it is no size."""
    found = _SIZE.match(text.strip())
    return round(float(found[1]) * _UNITS[found[2]]) if found else None


def _attributes(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for found in _PAIR.finditer(text):
        name = found["quoted"] or found["key"]
        value = found["word"] if found["text"] is None else _unquote(found["text"])
        pairs[name] = value
    return pairs


def _unquote(text: str) -> str:
    """Go's strconv.Quote undone, as far as log lines need it."""
    if "\\" not in text:
        return text

    def one(found: re.Match[str]) -> str:
        if found["simple"]:
            return _SIMPLE.get(found["simple"], found["simple"])
        code = int(found["hex"] or found["u4"], 16)
        return "?" if 0xD800 <= code <= 0xDFFF else chr(code)  # half a surrogate pair cannot be written as UTF-8

    return _ESCAPE.sub(one, text)
