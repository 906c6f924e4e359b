"""Log lines in the text format of Go's slog, on standard error."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from . import gojson

TRACE, DEBUG, INFO, WARN, ERROR = -8, -4, 0, 4, 8
_NAMES = {TRACE: "TRACE", DEBUG: "DEBUG", INFO: "INFO", WARN: "WARN", ERROR: "ERROR"}

_lock = threading.Lock()
_level = INFO
_early = True  # before `serve` sets slog up, the standard logger's format is used


def setup(level: int) -> None:
    """Switch to slog's text format at this level."""
    global _level, _early
    _level, _early = level, False


def level_name(level: int) -> str:
    """As slog prints a level: the nearest name below, and the distance."""
    for base in (ERROR, WARN, INFO, DEBUG):
        if level >= base:
            return _NAMES[base] + (f"+{level - base}" if level > base else "")
    return f"DEBUG{level - DEBUG}"


def enabled(level: int) -> bool:
    return level >= _level


def raw(data: bytes) -> None:
    """Write bytes as they are; one call is one write, so that lines of several threads do not mix."""
    with _lock:
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()


def log(level: int, source: str, msg: str, **attrs: Any) -> None:
    """One line. `source` is `file.go:LINE` of the real program; attributes keep their order."""
    if not enabled(level):
        return
    now = time.time()
    pairs = "".join(f" {key}={_value(value)}" for key, value in attrs.items())
    if _early:
        stamp = time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(now))
        raw(f"{stamp} {source}: {_NAMES[level]} {msg}{pairs}\n".encode())
        return
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    raw(f"time={stamp} level={_NAMES[level]} source={source} msg={_value(msg)}{pairs}\n".encode())


def info(source: str, msg: str, **attrs: Any) -> None:
    log(INFO, source, msg, **attrs)


def warn(source: str, msg: str, **attrs: Any) -> None:
    log(WARN, source, msg, **attrs)


def debug(source: str, msg: str, **attrs: Any) -> None:
    log(DEBUG, source, msg, **attrs)


def trace(source: str, msg: str, **attrs: Any) -> None:
    log(TRACE, source, msg, **attrs)


def error(source: str, msg: str, **attrs: Any) -> None:
    log(ERROR, source, msg, **attrs)


def _value(value: Any) -> str:
    text = _plain(value)
    if text == "" or any(char in ' "=' or not char.isprintable() for char in text):
        return gojson.quote(text)
    return text


def _plain(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return "[" + " ".join(_plain(item) for item in value) + "]"
        case dict():
            return "map[" + " ".join(f"{key}:{_plain(value[key])}" for key in sorted(value)) + "]"
        case None:
            return "null"
        case _:
            return str(value)
