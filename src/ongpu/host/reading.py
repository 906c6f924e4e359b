"""A value as it was read from a host: known, absent, or unreadable. Unknown is never healthy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """The value, and the command or file that said so."""

    value: T
    source: str
    state: Literal["known"] = "known"


@dataclass(frozen=True, slots=True)
class Absent:
    """We looked, and it is not there. `why` says what was looked at."""

    why: str
    state: Literal["absent"] = "absent"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """We could not look. `why` says what stopped us, `allow` what would let us look."""

    why: str
    allow: str = ""
    state: Literal["unreadable"] = "unreadable"


# A value that a snapshot of an older version does not have.
NOT_LOOKED = Unreadable("this was not looked at")

# `match` on the three classes; mypy's exhaustiveness check finds a forgotten case.
Reading = Annotated[Known[T] | Absent | Unreadable, Field(discriminator="state")]


def value_or_none(reading: Known[T] | Absent | Unreadable) -> T | None:
    """The value if known. For display and for optional details only: never to decide health."""
    return reading.value if isinstance(reading, Known) else None


def describe(reading: Known[T] | Absent | Unreadable) -> str:
    """`Known` as its value, the other two as a short phrase for an operator."""
    match reading:
        case Known(value=value):
            return str(value)
        case Absent(why=why):
            return f"absent ({why})"
        case Unreadable(why=why, allow=allow):
            return f"unreadable ({why}{'; ' + allow if allow else ''})"
