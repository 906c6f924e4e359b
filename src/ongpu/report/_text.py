"""Plain-text columns and numbers, as an operator reads them."""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Rows of equal length -> aligned lines, two spaces between columns; `right` = right-aligned columns."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def gib(size: int | None) -> str:
    """Bytes as `3.4 GiB`; a dash when unknown."""
    return "-" if size is None else f"{size / 2**30:.1f} GiB"


def percent(part: int | None, whole: int | None) -> str:
    """`100 %` only when it is all of it: 99.96 % is shown as 99 %."""
    if part is None or not whole:
        return "-"
    return f"{100 if part >= whole else min(99, int(100 * part / whole))} %"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def plural(count: int, noun: str) -> str:
    """`1 host`, `3 hosts`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
