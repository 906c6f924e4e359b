"""Text from a host -> numbers and times, or None. Never raises: the text may be anything."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_INT = re.compile(r"[+-]?[0-9]{1,19}")
_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,9})?")


def to_int(text: str) -> int | None:
    """Decimal, or hexadecimal with `0x`. At most 64 bits: int() itself raises on very long digits."""
    text = text.strip()
    if _INT.fullmatch(text):
        return int(text)
    return int(text, 16) if _HEX.fullmatch(text) else None


def to_float(text: str) -> float | None:
    """A plain decimal number; no exponent, no `nan`."""
    text = text.strip()
    return float(text) if _FLOAT.fullmatch(text) else None


def to_time(seconds: str) -> datetime | None:
    """Seconds since the epoch, with or without a fraction, in UTC."""
    value = to_float(seconds)
    if value is None or not 0 <= value < 253_402_300_800:  # the year 10000, where datetime ends
        return None
    return datetime.fromtimestamp(value, UTC)
