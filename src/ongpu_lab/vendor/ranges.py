"""Range requests for one part of a file (RFC 9110, 14)."""

from __future__ import annotations

import re

_ONE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Unsatisfiable(Exception):
    """The range lies outside of the file: status 416."""


def parse(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None = the whole file (no range, or one that we do not serve).

    Raises Unsatisfiable.
    """
    found = _ONE.fullmatch(header.strip()) if header else None
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = int(found[2])
        if length == 0 or size == 0:
            raise Unsatisfiable
        return max(0, size - length), size
    first = int(found[1])
    last = int(found[2]) if found[2] else size - 1
    if found[2] and last < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return first, min(last, size - 1) + 1
