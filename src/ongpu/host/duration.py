"""Durations as an operator reads them."""

from __future__ import annotations

from datetime import timedelta


def in_words(span: timedelta) -> str:
    """`6 s`, `10 min`, `1 h 30 min`: the two largest units that are not zero."""
    seconds = int(span.total_seconds())
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    return " ".join([f"{count} {unit}" for count, unit in parts if count][:2]) or "0 s"
