"""The host's own drift check: its timer, its last run, and the ongpu that it would run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ongpu.host.reading import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchState:
    """`program`: an `ongpu` in our venv, else on root's PATH; `version`: of the one in our venv.

    Timer and service as systemd has them. `triggered_at`: the timer's last start of the service. `result` and
    `exit_code`: of the service's last run, Absent before the first.
    """

    program: Reading[str]
    version: Reading[str]
    timer_loaded: bool
    timer_active: bool
    timer_enabled: bool
    needs_reload: bool
    triggered_at: Reading[datetime]
    result: Reading[str]
    exit_code: Reading[int]
