"""A plan is data: changes with their steps, what can only be known later, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Literal


class Interrupts(IntEnum):
    """What a change interrupts, in rising order; a host never does more than the shown plan said."""

    NONE = 0
    RESTART = 1
    REBOOT = 2

    @property
    def word(self) -> Literal["none", "restart", "reboot"]:
        """As it stands in reports."""
        words: tuple[Literal["none"], Literal["restart"], Literal["reboot"]] = ("none", "restart", "reboot")
        return words[self]

    def __str__(self) -> str:
        return self.word


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A POSIX shell command line, run as root by `sh -c`. Idempotent, and safe to be killed and run again.

    `what` is said when it fails: "install nvidia-driver-cuda 580.95.05". `stdin` is sent on standard input
    (long scripts and secrets: not in `ps`). `seconds` bounds it. `progress`: a file on the host whose one line says how
    far it is, while it runs; empty = none.
    """

    command: str
    what: str
    stdin: str | None = None
    seconds: int = 600
    progress: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Write a text file: previous version kept under /var/lib/ongpu/backups, then atomically renamed."""

    path: str
    content: str
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Remove a file that is ours; its previous version is kept as for Put."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Wait until nothing is served, at most `limit`; then refuse (design D7)."""

    limit: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Reboot:
    """Reboot and wait for a new boot_id and a working login."""

    limit: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Copy a file of the controller to the host, in pieces, before the next step; goes on where it was cut off.

    Nothing is said about its content: a later step checks it.
    """

    source: str
    path: str


Step = Run | Put | Remove | Drain | Reboot | Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that will be done. `summary`: "driver 570.10 -> 580.95.05"; `diff`: unified diff, may be empty."""

    resource: str
    summary: str
    steps: tuple[Step, ...]
    diff: str = ""
    interrupts: Interrupts = Interrupts.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Can only be known after an earlier resource; `may_interrupt` is the most that may follow. `waits_for` names that
    resource where it is blocked."""

    resource: str
    why: str
    may_interrupt: Interrupts = Interrupts.NONE
    waits_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Not done, and why. `refused`: a rule says no (exit 4). `unknown`: could not look (exit 3).

    `unsupported`: this cannot work as declared on this host (exit 2).
    """

    resource: str
    why: str
    kind: Literal["refused", "unknown", "unsupported"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    changes: tuple[Change, ...] = ()
    deferred: tuple[Deferred, ...] = ()
    blocked: tuple[Blocked, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing to do and nothing in doubt: the host is as declared."""
        return not (self.changes or self.deferred or self.blocked)

    @property
    def interrupts(self) -> Interrupts:
        return max(
            [change.interrupts for change in self.changes] + [late.may_interrupt for late in self.deferred],
            default=Interrupts.NONE,
        )

    def of(self, resource: str) -> Plan:
        """The part of this plan that belongs to one resource."""
        return Plan(
            changes=tuple(c for c in self.changes if c.resource == resource),
            deferred=tuple(d for d in self.deferred if d.resource == resource),
            blocked=tuple(b for b in self.blocked if b.resource == resource),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the caller allows beyond the spec. `allow_restart=False` turns restarts into Blocked. `force`: go on with
    models that cannot fit on the GPUs by the prediction."""

    allow_restart: bool = True
    allow_reboot: bool = True
    force: bool = False


@dataclass(frozen=True, slots=True)
class Now:
    """The moment of planning, in UTC. Passed in: the plan has no clock."""

    at: datetime
