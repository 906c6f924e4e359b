"""Takes off what loggers, containers and mailers put around a line: JSON, time stamps, prefixes, quote marks.

Pure, never raises, linear time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import unescape

from ongpu.host.ollama_log.text import clean

_LONGEST = 4000
_LONGEST_JSON = 65_536

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]{0,20}[A-Za-z]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[()][A-Z0-9])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Jan 15 10:34:34 gpuhost kernel: NVRM: …      2025-01-15T10:34:34+0000 gpuhost kernel: …      [    4.2] NVRM: …
_KERNEL_PREFIX = re.compile(
    r"^(?:[^\[\n]{0,40}\d\d:\d\d:\d\d\S{0,12} \S{1,80} kernel: )?(?:\[ {0,8}\d{1,10}\.\d{1,6}\] ?)?"
)
# 2025-01-15T10:34:34.123456789Z time=…          docker logs -t, kubectl logs --timestamps
# 2025-01-15T10:34:34.123456789+01:00 stderr F … containerd's files under /var/log/pods
_STAMP = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)(?: std(?:out|err) [FP])?(?: |$)"
)
# [pod/ollama-7d9f/ollama] time=…                kubectl logs --prefix
_POD = re.compile(r"^\[pod/[\w./-]{1,200}\] ")
# > time=…   >> time=…   >time=…                 a mail's or an issue's quotation; `>>> ` is Ollama's own prompt
_QUOTED = re.compile(r"^(?:> ?){1,2}(?:> ){0,3}(?!>)")
# 2026-01-15 10:34:34.123 time=…   [2026-01-15 10:34:34] time=…   2026-01-15 10:34:34 | time=…      other loggers
_SPACED_STAMP = re.compile(
    r"^\[?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d{1,9})?\]?(?: \|(?= (?:[^|]*$|\|(?:[=+-]| +[^\s|]))))? "
)
# 1768473274.123456 gpuhost ollama[1234]: time=…  journalctl -o short-unix
_UNIX_STAMP = re.compile(r"^\d{9,11}\.\d{6} (?:\S{1,80} [\w.@-]{1,60}\[\d{1,10}\]: )?")
# ollama.log:time=…   ollama.log:17:time=…        grep
_FILE = re.compile(r"^[\w./-]{1,120}\.(?:log|txt):(?:\d{1,8}:)?")
# 17:|   0  NVIDIA …      17  |   0  NVIDIA …    a table behind line numbers
_NUMBERED = re.compile(r"^ {0,6}\d{1,6}(?::|  ?)(?=[|+])")
_ENTITY = re.compile(r"&(?:quot|gt|lt|amp|#x?[0-9a-fA-F]{2,5}|nbsp);")
# What word processors, web pages and chats make of plain characters.
_PLAIN = str.maketrans(
    {
        "\u201c": '"',
        "\u201d": '"',
        "\u2018": "'",
        "\u2019": "'",
        "\u00a0": " ",
        "\u202f": " ",
        "\ufeff": "",
        "\u200b": "",
    }
)
_BARE = re.compile(r"[^\s\"=]+")

# NVRM: installed in this system is not supported by open / NVRM: nvidia.ko because …: a sentence on several lines
_WRAPPED = re.compile(r"\s{0,40}NVRM: ((?!loading )[a-z(][^\n]*|NVIDIA \d[^\n]*|System Processor[^\n]*)")
_ENDS = (".", "!", ":")
_LONGEST_SENTENCE = 600


def kernel_sentence(held: str, text: str) -> str | None:
    """Both as one line, where `text` goes on with what the NVIDIA module began to say in `held`; else None."""
    if not held.startswith("NVRM: ") or held.endswith(_ENDS) or len(held) >= _LONGEST_SENTENCE:
        return None
    rest = _WRAPPED.match(text)
    return f"{held} {rest[1]}" if rest else None


def tidy(raw: str) -> str:
    """One line without colours, control characters, and what loggers and containers put around it."""
    text = raw
    if raw.startswith("{") and len(raw) <= _LONGEST_JSON and (inner := _from_json(raw)) is not None:
        text = inner.split("\n", 1)[0]
    text = text[:_LONGEST]
    if not text.isascii():
        text = text.translate(_PLAIN)
    if "&" in text and _ENTITY.search(text):
        text = unescape(text).translate(_PLAIN)
    if text.startswith("`"):
        text = text.strip("`")
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if not text.isprintable():
        text = _CONTROL.sub("", text.rstrip("\r").rsplit("\r", 1)[-1])
    if text.startswith((">", "[")):
        text = _POD.sub("", _QUOTED.sub("", text, count=1), count=1)
    if ".log:" in text or ".txt:" in text:
        text = _FILE.sub("", text, count=1)
    text = _NUMBERED.sub("", _unstamped(_unstamped(text)), count=1)
    if text.startswith("[") or " kernel: " in text:
        text = _KERNEL_PREFIX.sub("", text, count=1)
    return text.rstrip()


def _unstamped(text: str) -> str:
    text = clean(text)
    if text[:1].isdecimal() or text.startswith("[2"):
        for stamp in (_STAMP, _SPACED_STAMP, _UNIX_STAMP):
            text = stamp.sub("", text, count=1)
    return text


def _from_json(raw: str) -> str | None:
    """The line inside a logger's JSON record (Docker's `log`, journalctl's `MESSAGE`), or a record of a program that
    logs in JSON, as Go's text format has it. None for any other JSON."""
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    for key in ("log", "MESSAGE"):
        if isinstance(record.get(key), str):
            return str(record[key])
    message = record.get("msg", record.get("message"))
    if isinstance(message, str) and isinstance(record.get("level"), str):
        return _as_text(message, record)
    return None


def _as_text(message: str, record: Mapping[str, object]) -> str:
    rest = {key: value for key, value in record.items() if key not in ("level", "msg", "message", "time", "source")}
    pairs = [f"level={str(record['level']).upper()}", f"msg={_quoted(message)}"]
    return " ".join(pairs + [f"{_quoted(key)}={_quoted(value)}" for key, value in rest.items()])


def _quoted(value: object) -> str:
    text = str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)
