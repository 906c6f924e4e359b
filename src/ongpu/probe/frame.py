"""Takes the probe's output apart again: text -> one Output per section. Never raises."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ongpu.probe.output import Output, Part

# @@ongpu 1 8f14e45fceea167a
PROTOCOL = "1"  # as in ongpu.probe.script; a probe that is installed on a host may be of another version
_FIRST = re.compile(r"^@@ongpu (\d+) (\S+)\r?$", re.MULTILINE)
_RC = re.compile(r"[0-9]{1,3}")
_RETURNS = re.compile(r"\r+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Frames:
    """`complete` is False without the end marker: the connection or a time limit cut the script off.

    `trouble` is what was printed instead of the first marker (a sudo error, a missing shell), if anything.
    """

    outputs: dict[str, Output] = field(default_factory=dict)
    complete: bool = False
    trouble: str = ""


def split(text: str) -> Frames:
    """Sections in any order, cut off anywhere, with noise before the first line (a login banner).

    A last line without its newline is the end marker (transports strip the newline) or the beginning of a line: `rc 1`
    may have been `rc 124`.
    """
    first = _FIRST.search(text)
    if not first:
        return Frames(trouble=text.strip()[-500:] or "no output")
    if first.group(1) != PROTOCOL:
        return Frames(trouble=f"it speaks protocol {first.group(1)[:20]}, not {PROTOCOL}")
    marker = f"@@{first.group(2)} "
    outputs: dict[str, Output] = {}
    section, parts, name, texts, complete = "", dict[str, Part](), "", list[str](), False

    def close_part(rc: int | None, missing: str = "") -> None:
        nonlocal name
        if name:
            parts[name] = Part(rc, "" if missing else "\n".join(texts).strip("\n"), missing)
        name = ""
        texts.clear()

    def close_section(done: bool) -> None:
        nonlocal section, parts
        close_part(None)
        if section:
            outputs[section] = Output(section, parts, done)
        section, parts = "", {}

    # Cut at the markers, not line by line: this is done for each host, and most of an answer is text between them.
    for piece in _whole_lines(text[first.end() :], f"{marker}end").split(f"\n{marker}")[1:]:
        line, has_more, below = piece.partition("\n")
        word, _, rest = line.partition(" ")
        match word:
            case "section":
                close_section(False)
                section = rest
            case "part":
                close_part(None)
                name = rest
            case "rc":
                close_part(int(rest) if _RC.fullmatch(rest) else None)
            case "missing":
                close_part(None, rest)
            case "done":
                close_section(rest == section)
            case "end":
                close_section(False)
                complete = True
            case _:
                pass  # a marker cut in the middle: what it would have closed stays open
        if name and has_more:
            texts.append(below)
    close_section(False)
    return Frames(outputs, complete)


def _whole_lines(text: str, end: str) -> str:
    """Without carriage returns at the ends of lines, and without a last line that has no newline and is not `end`."""
    if "\r" in text:
        text = _RETURNS.sub("", text)
    rest = text.rfind("\n") + 1
    return text if text[rest:] == end else text[:rest]
