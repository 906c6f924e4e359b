"""Durations as an operator reads them, and as Go writes them."""

from __future__ import annotations

import re
from datetime import timedelta

_GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_GO_PART = re.compile(r"(\d{1,12}(?:\.\d{0,9})?)(ns|us|µs|ms|s|m|h)", re.ASCII)


def in_words(span: timedelta) -> str:
    """`6 s`, `10 min`, `1 h 30 min`: the two largest units that are not zero."""
    seconds = int(span.total_seconds())
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    return " ".join([f"{count} {unit}" for count, unit in parts if count][:2]) or "0 s"


def go_seconds(text: str) -> float | None:
    """`5m`, `1h30m`, `-1` (seconds) as Ollama reads a duration; None for what it does not understand."""
    sign, text = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if text.isascii() and text.isdecimal() and len(text) < 16:
        return sign * int(text)
    parts = _GO_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sign * sum(float(number) * _GO_UNITS[unit] for number, unit in parts)
