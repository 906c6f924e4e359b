"""JSON, times and sizes written as Go's standard library writes them."""

from __future__ import annotations

import json
import math
import time
from typing import Any

_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def dumps(value: Any) -> str:
    """`value` as encoding/json does it: no spaces, `<`, `>` and `&` escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for plain, escaped in _HTML.items():
        text = text.replace(plain, escaped)
    return text


def rfc3339(seconds: float) -> str:
    """Seconds since 1970 as time.RFC3339Nano in UTC: zeros at the end of the fraction are cut."""
    whole = math.floor(seconds)
    nanos = min(int((seconds - whole) * 1e9), 999_999_999)
    fraction = f".{nanos:09d}".rstrip("0").rstrip(".")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + fraction + "Z"


def duration(seconds: float) -> str:
    """Seconds as time.Duration prints them: `5m0s`, `110.527µs`, `21.483186616s`."""
    nanos = round(seconds * 1e9)
    if nanos < 0:
        return "-" + duration(-seconds)
    if nanos == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if nanos < size * 1000:
            return f"{_trim(nanos / size)}{unit}"
    hours, rest = divmod(nanos, 3600 * 10**9)
    minutes, rest = divmod(rest, 60 * 10**9)
    text = f"{_trim(rest / 1e9)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def _trim(number: float) -> str:
    return f"{number:.9f}".rstrip("0").rstrip(".")


def parse_duration(text: str) -> float:
    """Seconds in a Go duration (`5m`, `1h30m`, `-1m`). Raises ValueError with Go's message."""
    units = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
    sign, rest = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    if not rest:
        raise ValueError(f"time: invalid duration {quote(text)}")
    total = 0.0
    while rest:
        number = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(number) :]
        unit = rest[: len(rest) - len(rest.lstrip("nuµmshÎ¼"))]
        while unit and unit not in units:
            unit = unit[:-1]
        if not number.strip(".") or number.count(".") > 1:
            raise ValueError(f"time: invalid duration {quote(text)}")
        if not unit:
            problem = "unknown unit" if rest else "missing unit in duration"
            raise ValueError(
                f"time: {problem} {quote(text)}"
                if not rest
                else f"time: {problem} {quote(rest)} in duration {quote(text)}"
            )
        total += float(number) * units[unit]
        rest = rest[len(unit) :]
    return sign * total


def quote(text: str) -> str:
    """`text` as strconv.Quote writes it."""
    out = ['"']
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char == "\n":
            out.append("\\n")
        elif char == "\t":
            out.append("\\t")
        elif char == "\r":
            out.append("\\r")
        elif ord(char) < 0x20 or ord(char) == 0x7F:
            out.append(f"\\x{ord(char):02x}")
        elif not char.isprintable():
            out.append(f"\\u{ord(char):04x}")
        else:
            out.append(char)
    return "".join([*out, '"'])


def human_bytes2(size: int) -> str:
    """Ollama's `format.HumanBytes2`, for log lines: `2.0 GiB`, `457.0 MiB`, `0 B`."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"


def human_bytes(size: int) -> str:
    """Ollama's `format.HumanBytes`, for tables: `567 MB`, `7.3 MB`, `1.0 GB`."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= factor:
            value = size / factor
            return f"{int(value)} {unit}" if value >= 10 else f"{value:.1f} {unit}"
    return f"{size} B"


def human_number(count: int) -> str:
    """Ollama's `format.HumanNumber`, for parameter counts: `3.66M`, `8.0B`."""
    if count >= 10**9:
        value = count / 1e9
        return f"{int(value)}B" if value == int(value) else f"{value:.1f}B"
    if count >= 10**6:
        value = count / 1e6
        return f"{int(value)}M" if value == int(value) else f"{value:.2f}M"
    return f"{int(count / 1e3)}K" if count >= 10**3 else str(count)
