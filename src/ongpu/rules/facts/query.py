"""Answers of `nvidia-smi --query-gpu=… --format=csv`: a header with field names, then one row for each GPU."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ongpu.rules.evidence import Evidence, Line
from ongpu.rules.pattern import regex

# index, clocks_event_reasons.sw_thermal_slowdown, clocks.current.sm [MHz]      (csv)
_NAME = r"[a-z][\w]{1,40}(?:\.[\w]{1,40}){0,5}(?: \[[\w%/]{1,8}\])?"
_HEADER = regex(rf"^{_NAME}(?:, ?{_NAME}){{0,60}}$")
# $ nvidia-smi --query-gpu=index,mig.mode.current --format=csv,noheader
_ASKED = regex(r"--query-gpu[= ]([\w.,]{2,2000})[^\n]*noheader")
# # gpu   pwr  gtemp  mtemp   mclk   pclk      (nvidia-smi dmon; the next line has the units)
_DMON = regex(r"^# ?gpu(?: +\w{1,12}){2,40} *$")
_MASK = re.compile(r"0x[0-9a-fA-F]{1,16}")
_UNIT = re.compile(r" \[[\w%/]{1,8}\]$")
# Fields that have no dot in their name.
_KNOWN = frozenset({"gpu_recovery_action", "compute_cap", "compute_mode", "pstate", "driver_version"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One field of one GPU, as printed; `line` is the row."""

    field: str
    value: str
    line: Line


def answers(seen: Evidence) -> list[Answer]:
    """Every field of every row. A row ends the table when it has another number of columns than the header."""
    return seen.once(_answers)


def _answers(seen: Evidence) -> list[Answer]:
    found: list[Answer] = []
    fields: tuple[str, ...] = ()
    if not (seen.lines_for(_ASKED) or seen.lines_for(_HEADER) or seen.lines_for(_DMON)):
        return found
    for line in seen.lines:
        text = line.text.strip()
        if asked := _ASKED.search(text):
            fields = tuple(asked[1].split(","))
        elif header := _header(text):
            fields = header
        elif _DMON.match(text):
            fields = tuple(text.split()[1:])
        elif fields and (columns := text.split()) and columns[0].isdecimal() and len(columns) == len(fields):
            found += [Answer(field, value, line) for field, value in zip(fields, columns, strict=True)]
        elif fields and text.startswith("# "):  # the units
            continue
        elif fields:
            values = [value.strip() for value in text.split(",")]
            if len(values) == len(fields) and not text.startswith(("$", "#", ">")):
                found += [Answer(field, value, line) for field, value in zip(fields, values, strict=True)]
            else:
                fields = ()
    return found


def _header(text: str) -> tuple[str, ...]:
    if len(text) > 2000 or not _HEADER.match(text):
        return ()
    names = tuple(_UNIT.sub("", name.strip()) for name in text.split(","))
    return names if any("." in name or name in _KNOWN for name in names) else ()


def reasons(seen: Evidence) -> list[tuple[int, Line]]:
    """Why clocks are lowered, as the mask that `clocks_event_reasons.active` is (NVML's nvmlClocksEventReasons:
    https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html)."""
    return [
        (int(one.value, 16), one.line)
        for one in answers(seen)
        if one.field.endswith("_reasons.active") and _MASK.fullmatch(one.value)
    ]


def first(seen: Evidence, name: str, values: re.Pattern[str]) -> Line | None:
    """The first row in which a field whose name ends in `name` has a value that matches from its beginning."""
    return next((one.line for one in answers(seen) if one.field.endswith(name) and values.match(one.value)), None)
