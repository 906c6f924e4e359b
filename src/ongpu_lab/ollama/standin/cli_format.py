"""How the command line shows sizes, shares and times: columns, tables, sections."""

from __future__ import annotations

import time
from datetime import datetime

_FOREVER_YEARS = 100


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print columns as wide as their widest cell."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    print("    ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True)) + " ")
    for row in rows:
        print("".join(cell.ljust(width) + "    " for cell, width in zip(row, widths, strict=True)))


def section(title: str, rows: list[tuple[str, str]]) -> None:
    """Print a block of `ollama show`."""
    print(f"  {title}")
    keys, values = max(len(key) for key, _ in rows), max(len(value) for _, value in rows)
    for key, value in rows:
        print(f"    {key.ljust(keys)}    {value.ljust(values)}    " if values else f"    {key.ljust(keys)}    ")
    print()


def processor(size: int, vram: int) -> str:
    """The column PROCESSOR."""
    if vram == 0:
        return "100% CPU"
    if vram == size:
        return "100% GPU"
    if vram > size or size == 0:
        return "Unknown"
    share = round((size - vram) / size * 100)
    return f"{share}%/{100 - share}% CPU/GPU"


def when(text: str) -> float:
    """Seconds since the epoch of a time of the API."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00").timestamp() + float(f"0.{fraction or 0}")


def until(text: str) -> str:
    """The column UNTIL."""
    left = when(text) - time.time()
    if left > _FOREVER_YEARS * 365 * 86400:
        return "Forever"
    return "Stopping..." if left < 0 else f"{span(left)} from now"


def span(seconds: float) -> str:
    """A duration in words, as Ollama rounds it."""
    if seconds < 1:
        return "Less than a second"
    for limit, unit, one in ((60, 1, "1 second"), (3600, 60, "About a minute"), (48 * 3600, 3600, "About an hour")):
        if seconds < limit:
            count = int(seconds // unit)
            return one if count == 1 else f"{count} {one.split()[-1]}s"
    days = int(seconds // 86400)
    for limit, unit, name in ((14, 1, "days"), (60, 7, "weeks"), (730, 30, "months")):
        if days < limit:
            return f"{days // unit} {name}"
    return f"{days // 365} years"
