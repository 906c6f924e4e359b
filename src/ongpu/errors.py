"""Every error that reaches an operator, and the one table of exit codes.

OngpuError                 1
  ConfigError              1   the inventory or an option is wrong; carries file:line
  NothingToDo              1   an empty fleet, or a limit that matches no host
  NotConfirmed           130   the operator saw the plan and said no
  HostError                3   the host could not be read or reached
  Refused                  4   lock, window, reboot not allowed, drain limit reached
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `ongpu ...`; precedence when several apply: see `worst`."""

    OK = 0
    ERROR = 1
    FINDINGS = 2
    UNKNOWN = 3
    REFUSED = 4
    INTERRUPTED = 130


_PRECEDENCE = (Exit.INTERRUPTED, Exit.ERROR, Exit.FINDINGS, Exit.REFUSED, Exit.UNKNOWN, Exit.OK)


def worst(codes: list[Exit]) -> Exit:
    """The exit code of a run over many hosts: 130 > 1 > 2 > 4 > 3 > 0. No codes at all is an error."""
    return min(codes, key=_PRECEDENCE.index, default=Exit.ERROR)


class OngpuError(Exception):
    """One clear sentence for the operator: what is wrong, where, what to do."""

    exit_code: Exit = Exit.ERROR


class ConfigError(OngpuError):
    """The inventory or an option is wrong. `where` is `file:line`, or the option's name."""

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class NothingToDo(OngpuError):
    """No host is declared, or the limit matches none: never a success."""


class NotConfirmed(OngpuError):
    """The operator saw the plan and said no."""

    exit_code = Exit.INTERRUPTED


class HostError(OngpuError):
    """Something about one host; the other hosts go on."""

    exit_code = Exit.UNKNOWN


class Refused(OngpuError):
    """A safety rule said no; nothing was changed by the refused part."""

    exit_code = Exit.REFUSED
