"""The probe as a whole: the script that is sent, and its answer as a HostSnapshot. Never raises."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe.frame import split
from ongpu.probe.output import Output, Part
from ongpu.probe.script import build
from ongpu.probe.section import Section
from ongpu.probe.sections import all_sections


@cache
def script() -> str:
    """The whole probe, the same for every host."""
    return build(all_sections())


def decode(text: str, sections: Sequence[Section] | None = None) -> HostSnapshot:
    """Each section of the answer through its parser; what did not arrive is Unreadable with the reason."""
    frames = split(text)
    if frames.trouble:
        return HostSnapshot.unreadable(f"the probe gave no answer: {frames.trouble}")
    missing = Unreadable(
        "the probe said nothing about this" if frames.complete else "the probe was cut off before this"
    )
    readings: dict[str, Known[Any] | Absent | Unreadable] = dict.fromkeys(HostSnapshot.__dataclass_fields__, missing)
    for section in all_sections() if sections is None else sections:
        output = frames.outputs.get(section.name)
        if output is not None:
            readings[section.name] = _parse(section, tuple(output.parts.items()), output.complete)
    return HostSnapshot(**readings)


@lru_cache(maxsize=1024)  # the hosts of a fleet say the same in most sections: packages, libraries, settings
def _parse(section: Section, parts: tuple[tuple[str, Part], ...], complete: bool) -> Known[Any] | Absent | Unreadable:
    try:
        return section.parse(Output(section.name, dict(parts), complete))
    except Exception as error:  # noqa: BLE001 - a parser's bug must not hide the other sections; tests hunt for it
        return Unreadable(f"ongpu bug in the parser of {section.name}, please report: {error!r}")
