"""Maintenance windows: `Sat 02:00-05:00 Europe/Berlin`, `Mon-Fri 22:00-06:00 UTC`, `daily 01:00-03:00`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Sat,Sun 22:00-06:00 Europe/Berlin
_FORM = re.compile(r"(?P<days>\S+)\s+(?P<from>\d{1,2}:\d{2})-(?P<to>\d{1,2}:\d{2})(?:\s+(?P<zone>\S+))?")


@dataclass(frozen=True, slots=True)
class Window:
    """Open on `days` (0 = Monday) from `start` to `end` in `zone`; `end` at or before `start` is the next day."""

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str) -> Window:
        """Raises ValueError with one sentence that shows the form."""
        match = _FORM.fullmatch(text.strip())
        if not match:
            raise ValueError(f"{text!r} is not a window such as `Sat 02:00-05:00 Europe/Berlin`")
        try:
            zone = ZoneInfo(match["zone"] or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{match['zone']!r} is not a time zone such as Europe/Berlin or UTC") from None
        return cls(_days(match["days"]), _time(match["from"]), _time(match["to"]), zone)

    def is_open(self, at: datetime) -> bool:
        """Whether the moment (aware, any zone) lies inside."""
        local = at.astimezone(self.zone)
        clock = local.time().replace(tzinfo=None)
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= clock < self.end
        yesterday = (local.weekday() - 1) % 7
        return (local.weekday() in self.days and clock >= self.start) or (yesterday in self.days and clock < self.end)

    def next_opening(self, at: datetime) -> datetime:
        """The first moment not before `at` at which the window is open, in UTC."""
        if self.is_open(at):
            return at.astimezone(UTC)
        local = at.astimezone(self.zone)
        for ahead in range(9):
            day = (local + timedelta(days=ahead)).date()
            opening = datetime.combine(day, self.start, self.zone)
            if day.weekday() in self.days and opening >= local:
                return opening.astimezone(UTC)
        raise ValueError("a window without days never opens")


def _days(text: str) -> frozenset[int]:
    if text.lower() == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        first, mark, last = part.partition("-")
        if first not in _DAYS or (mark and last not in _DAYS):
            raise ValueError(f"{part!r} is not a day: use Mon, Tue, Wed, Thu, Fri, Sat, Sun, Mon-Fri or daily")
        start, span = _DAYS.index(first), (_DAYS.index(last) - _DAYS.index(first)) % 7 if mark else 0
        found.update((start + step) % 7 for step in range(span + 1))
    return frozenset(found)


def _time(text: str) -> time:
    hour, _, minute = text.partition(":")
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError(f"{text} is not a time of day between 00:00 and 23:59")
    return time(int(hour), int(minute))
