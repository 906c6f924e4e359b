"""ongpu-drift.timer and its last run; asked only where there is such a timer."""

from __future__ import annotations

from ongpu.host.paths import VENV, WATCH_TIMER
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.watch import WatchState
from ongpu.probe import systemd
from ongpu.probe.output import Output
from ongpu.probe.section import Section
from ongpu.probe.values import to_int

_TIMER = "LoadState,ActiveState,UnitFileState,NeedDaemonReload,LastTriggerUSec"
_SERVICE = "LoadState,Result,ExecMainStatus,ExecMainExitTimestamp,NeedDaemonReload"

SHELL = rf"""
program() {{ if [ -x {VENV}/bin/ongpu ]; then printf '%s\n' {VENV}/bin/ongpu; else command -v ongpu || :; fi; }}
installed() {{
  for dir in {VENV}/lib/python3*/site-packages/ongpu-*.dist-info; do [ -d "$dir" ] && echo "${{dir##*/}}"; done; :
}}
p program program
p installed installed
if [ -f {WATCH_TIMER} ]; then
  need timer systemctl && p timer env LC_ALL=C TZ=UTC0 systemctl show ongpu-drift.timer --property={_TIMER}
  need service systemctl && p service env LC_ALL=C TZ=UTC0 systemctl show ongpu-drift.service --property={_SERVICE}
else
  p none printf 'none\n'
fi
"""


def parse(output: Output) -> Known[WatchState] | Absent | Unreadable:
    """Absent: there is no timer of ours, and no ongpu."""
    program, version = _program(output), _version(output)
    if output["none"].ok:
        return (
            Known(_state(program, version, {}, {}), "systemctl show")
            if isinstance(program, Known)
            else Absent("no timer")
        )
    for part in ("timer", "service"):
        if output[part].trouble:
            return Unreadable(f"systemctl show ongpu-drift.{part}: {output[part].trouble}")
    timer, service = systemd.properties(output["timer"].text), systemd.properties(output["service"].text)
    return Known(_state(program, version, timer, service), "systemctl show ongpu-drift.timer ongpu-drift.service")


def _state(program: Reading[str], version: Reading[str], timer: dict[str, str], service: dict[str, str]) -> WatchState:
    triggered = systemd.timestamp(timer.get("LastTriggerUSec", ""))
    ended = systemd.timestamp(service.get("ExecMainExitTimestamp", ""))
    status = to_int(service.get("ExecMainStatus", ""))
    ran = service.get("LoadState") == "loaded" and ended is not None
    return WatchState(
        program=program,
        version=version,
        timer_loaded=timer.get("LoadState") == "loaded",
        timer_active=timer.get("ActiveState") == "active",
        timer_enabled=timer.get("UnitFileState") == "enabled",
        needs_reload="yes" in (timer.get("NeedDaemonReload"), service.get("NeedDaemonReload")),
        triggered_at=Known(triggered, "LastTriggerUSec") if triggered else Absent("it has not run yet"),
        result=Known(service.get("Result", ""), "Result") if ran else Absent("it has not run yet"),
        exit_code=Known(status, "ExecMainStatus") if ran and status is not None else Absent("it has not run yet"),
    )


def _program(output: Output) -> Reading[str]:
    part = output["program"]
    if part.trouble:
        return Unreadable(f"command -v ongpu: {part.trouble}")
    path = next((line for line in part.lines if line.startswith("/")), "")
    return Known(path, "command -v ongpu") if path else Absent("there is no ongpu on this host")


def _version(output: Output) -> Reading[str]:
    part = output["installed"]
    if part.trouble:
        return Unreadable(f"{VENV}: {part.trouble}")
    names = [line.removeprefix("ongpu-").removesuffix(".dist-info") for line in part.lines]
    return Known(names[-1], VENV) if names else Absent(f"there is no ongpu in {VENV}")


SECTION = Section(name="watch", shell=SHELL, parse=parse, seconds=5)
