"""A section of the probe: one file, its shell and the pure parser of its output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.probe.output import Output


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """`name` is the field of HostSnapshot that `parse` fills.

    `shell` is POSIX sh for dash, bash and busybox, run as root or not, and never changes the host. It prints
    through the helpers of `ongpu.probe.script`: `p NAME COMMAND...` runs a command as one part,
    `need NAME TOOL` notes a missing tool. Anything it prints outside of a part is dropped.
    `parse` never raises: what it does not understand is Unreadable.
    """

    name: str
    shell: str
    parse: Callable[[Output], Known[Any] | Absent | Unreadable]
    seconds: int = 10
    max_bytes: int = 65536
