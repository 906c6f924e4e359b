"""What a resource may know when it plans: the spec, the host, the moment, and what earlier resources plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar, cast

from ongpu.fit.foreseen import Foreseen
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.types import Change, Interrupts, Limits, Now, Plan
from ongpu.spec.model import HostSpec

T = TypeVar("T")


class Halt(Exception):
    """A resource cannot be planned: becomes Blocked. Raised and caught inside `ongpu.plan` only."""

    def __init__(self, kind: Literal["refused", "unknown", "unsupported"], why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why


class Later(Exception):
    """A resource can only be planned after an earlier one: becomes Deferred."""

    def __init__(self, why: str, may_interrupt: Interrupts = Interrupts.NONE, waits_for: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.waits_for = waits_for
        self.may_interrupt = may_interrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    spec: HostSpec
    snapshot: HostSnapshot
    now: Now
    limits: Limits
    earlier: Plan = field(default_factory=Plan)
    foreseen: Mapping[str, Foreseen] = field(default_factory=dict)  # by declared name, where it was looked up
    _once: dict[Callable[[Context], object], object] = field(default_factory=dict, compare=False, repr=False)

    def once(self, fact: Callable[[Context], T]) -> T:
        """What `fact` says of spec and snapshot, whatever earlier resources plan; several resources ask the same, it is
        worked out once for a plan. Raises the Halt that it raised."""
        if fact not in self._once:
            try:
                self._once[fact] = fact(self)
            except Halt as halt:
                self._once[fact] = halt
        found = self._once[fact]
        if isinstance(found, Halt):
            raise Halt(found.kind, found.why)
        return cast(T, found)

    def pending(self, *resources: str) -> bool:
        """Will these earlier resources change in this run, or may they?"""
        parts = [self.earlier.of(resource) for resource in resources]
        return any(part.changes or part.deferred for part in parts)

    def wait_for(self, *resources: str) -> None:
        """Raises Later where an earlier resource is blocked: without it nothing is done here either."""
        for resource in resources:
            if self.earlier.of(resource).blocked:
                raise Later(f"waits for {resource}, which is blocked", waits_for=resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One managed resource. `changes` raises Halt (blocked) or Later (deferred)."""

    name: str
    applies: Callable[[HostSpec], bool]
    changes: Callable[[Context], Sequence[Change]]


def because(reading: Absent | Unreadable) -> str:
    """Why there is no value, with what would allow the look where that is known."""
    allow = reading.allow if isinstance(reading, Unreadable) else ""
    return f"{reading.why} ({allow})" if allow else reading.why


def known(reading: Known[T] | Absent | Unreadable, what: str, absent: T | None = None) -> T:
    """The value. Raises Halt("unknown") when it could not be read, or is absent and has no stand-in."""
    match reading:
        case Known(value=value):
            return value
        case Absent(why=why):
            if absent is not None:
                return absent
            raise Halt("unknown", f"cannot tell {what}: {why}")
        case Unreadable():
            raise Halt("unknown", f"cannot tell {what}: {because(reading)}")
