"""What one section of the probe printed, before it is understood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Part:
    """One command's output within a section.

    `rc` is None when the command never finished (time limit, size limit, lost connection): its text is then
    only the beginning. `missing` names the tool that is not installed; `text` is empty in that case.
    """

    rc: int | None
    text: str = ""
    missing: str = ""

    @property
    def ok(self) -> bool:
        return self.rc == 0 and not self.missing

    @property
    def lines(self) -> list[str]:
        """Split at newline only: str.splitlines() would also split at form feeds and the like."""
        return [line for line in self.text.split("\n") if line]

    @property
    def short_lines(self) -> list[str]:
        """`lines` without those that no program writes: a pattern with two open ends needs their length squared."""
        return [line for line in self.lines if len(line) <= 2000]

    @property
    def timed_out(self) -> bool:
        """The command was killed by `bound`, or never finished: 124 by GNU timeout, 143 (128 + SIGTERM) by busybox."""
        return not self.missing and self.rc in (None, 124, 137, 143)

    @property
    def trouble(self) -> str:
        """Why this part cannot be trusted, in a few words; empty when it can."""
        if self.missing:
            return f"{self.missing} is not installed"
        if self.rc is None:
            return "cut off (time or size limit)"
        if self.timed_out:
            return "no answer within its time limit"
        if self.rc:
            last = self.lines[-1].strip() if self.lines else "no output"
            return f"exit {self.rc}: {last[:200]}"
        return ""


NOT_RUN = Part(None)


@dataclass(frozen=True, slots=True)
class Output:
    """The parts of one section, by name, in the order in which they ran.

    `complete` is False when the section hit its limit: parts may be missing then.
    """

    section: str
    parts: Mapping[str, Part] = field(default_factory=dict)
    complete: bool = False

    def __getitem__(self, name: str) -> Part:
        return self.parts.get(name, NOT_RUN)

    def startswith(self, prefix: str) -> Iterator[tuple[str, Part]]:
        """Parts of a family, e.g. one per process: `runner:4711` for prefix `runner:`."""
        return ((name[len(prefix) :], part) for name, part in self.parts.items() if name.startswith(prefix))
