"""ollama.service as systemd runs it, and the processes behind it."""

from __future__ import annotations

from datetime import datetime

from ongpu.host.ollama import Process, Runner, Service
from ongpu.host.paths import UNIT
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe import octets, processes, systemd
from ongpu.probe.output import Output
from ongpu.probe.section import Section

# What a drop-in can do to the GPU, the models and a restart; shown as systemd prints it.
HARDENING = (
    "AllowedCPUs,DeviceAllow,DevicePolicy,DynamicUser,ExecMainCode,ExecMainStatus,KillMode,"
    "LimitMEMLOCK,LogNamespace,LogRateLimitBurst,LogRateLimitIntervalUSec,MemoryDenyWriteExecute,MemoryHigh,MemoryMax,"
    "NoNewPrivileges,PrivateDevices,PrivateNetwork,PrivateTmp,PrivateUsers,ProtectHome,ProtectKernelModules,"
    "ProtectKernelTunables,ProtectSystem,ReadWritePaths,Requires,Restart,RestartUSec,Result,RootDirectory,RootImage,"
    "StandardError,StandardOutput,SupplementaryGroups,TimeoutStopUSec,Type,Wants,After,WorkingDirectory"
)
ASKED = (
    "LoadState,ActiveState,SubState,UnitFileState,FragmentPath,DropInPaths,NeedDaemonReload,User,Group,ExecStart,"
    "Environment,EnvironmentFiles,UnsetEnvironment,MainPID,ExecMainStartTimestamp,NRestarts,InvocationID"
)

# The answer is encoded because a value may hold UTF-8. TZ=UTC0: `--timestamp=unix` exists only since systemd 251.
SHELL = (
    octets.SHELL
    + processes.SHELL
    + rf"""
said() {{ printf '%s\n' "$show"; return "$rc"; }}
shown() {{ said | octets; }}
main=none
if need show systemctl; then
  show=$(TZ=UTC0 bound 5 systemctl show {UNIT} -p {ASKED} -p {HARDENING} 2>&1); rc=$?
  if [ "$rc" = 0 ]; then p show shown; else p show said; fi
  case $show in *MainPID=*) main=${{show#*MainPID=}}; main=${{main%%[!0-9]*}} ;; esac
fi
[ "${{main:-0}}" = 0 ] && main=none
processes "$main"
"""
)


def parse(output: Output) -> Known[Service] | Absent | Unreadable:
    """Service with `load_state` `not-found` when systemd has no such unit. A host without systemd is Absent, unless
    an `ollama serve` runs there all the same: then `load_state` is `no-systemd`, and `main` is that process."""
    found = processes.parse(output)
    show = output["show"]
    if show.missing or "not been booted with systemd" in show.text:
        return _without_systemd(output, found)
    match octets.decode_text(show):
        case Unreadable(why=why, allow=allow):
            return Unreadable(f"systemctl show {UNIT}: {why}", allow)
        case text if text.startswith("Running in chroot"):
            return _without_systemd(output, found)
        case text:
            values = systemd.properties(text)
    if "LoadState" not in values:
        return Unreadable(f"systemctl show {UNIT} printed no LoadState")
    main_pid = _number(values.get("MainPID", ""))
    main = _main(found, main_pid)
    return Known(
        Service(
            load_state=values["LoadState"],
            active_state=values.get("ActiveState", ""),
            sub_state=values.get("SubState", ""),
            enabled=values.get("UnitFileState", ""),
            fragment=values.get("FragmentPath", ""),
            drop_ins=systemd.words(values.get("DropInPaths", "")),
            needs_reload=values.get("NeedDaemonReload") == "yes",
            user=values.get("User", ""),
            group=values.get("Group", ""),
            exec_start=systemd.command_line(values.get("ExecStart", "")),
            environment=_environment(values),
            environment_files=systemd.environment_files(values.get("EnvironmentFiles", "")),
            properties=_properties(values),
            main_pid=main_pid,
            started_at=_started(values.get("ExecMainStartTimestamp", "")),
            restarts=_number(values.get("NRestarts", "")),
            invocation_id=values.get("InvocationID", ""),
            main=main,
            runners=_runners(found, main),
        ),
        f"systemctl show {UNIT}",
    )


def _without_systemd(output: Output, found: processes.Found | Unreadable) -> Known[Service] | Absent | Unreadable:
    why = "systemctl is not installed" if output["show"].missing else "systemd does not run here"
    if isinstance(found, Unreadable):
        return found
    server = found.server()
    if server is None:
        return Absent(f"{why}; no process `ollama serve`")
    main = Known(server, "/proc")
    return Known(
        Service(
            load_state="no-systemd",
            active_state="active",
            sub_state="",
            enabled="",
            fragment="",
            drop_ins=(),
            needs_reload=False,
            user=server.user,
            group="",
            exec_start=" ".join(server.command),
            environment={},
            environment_files=(),
            properties={},
            main_pid=server.pid,
            started_at=server.started_at,
            restarts=0,
            invocation_id="",
            main=main,
            runners=_runners(found, main),
        ),
        "/proc",
    )


def _main(found: processes.Found | Unreadable, pid: int) -> Reading[Process]:
    if pid == 0:
        return Absent("the service has no main process")
    match found:
        case Unreadable():
            return found
        case _ if pid in found.all:
            return Known(found.all[pid], f"/proc/{pid}")
        case _:
            return Unreadable(f"process {pid} ended while it was looked at, or has another name")


def _runners(found: processes.Found | Unreadable, main: Reading[Process]) -> Reading[tuple[Runner, ...]]:
    if isinstance(found, Unreadable):
        return found
    match main:
        case Known(value=process):
            return Known(processes.runners(found, process), "/proc")
        case Absent():
            return Known(processes.runners(found, None), "/proc")
        case Unreadable():
            return main


def _environment(values: dict[str, str]) -> dict[str, str]:
    """What is left of Environment= after UnsetEnvironment=, which systemd applies last (systemd.exec(5)): a name takes
    the variable away whatever its value, NAME=VALUE only with that value."""
    unset = set(systemd.words(values.get("UnsetEnvironment", "")))
    declared = systemd.environment(values.get("Environment", ""))
    return {name: value for name, value in declared.items() if not unset & {name, f"{name}={value}"}}


def _properties(values: dict[str, str]) -> dict[str, str]:
    """As printed, but lists of units and devices in a fixed order: systemd's own changes from start to start."""
    shown = {name: values[name] for name in sorted(HARDENING.split(",")) if name in values}
    for name in ("After", "Requires", "Wants"):
        if name in shown:
            shown[name] = " ".join(sorted(shown[name].split()))
    if "DeviceAllow" in shown:
        shown["DeviceAllow"] = "\n".join(sorted(shown["DeviceAllow"].split("\n")))
    return shown


def _started(text: str) -> Reading[datetime]:
    at = systemd.timestamp(text)
    if at is None:
        return Absent("the service was not started") if not text else Unreadable(f"not a time: {text[:60]!r}")
    return Known(at, f"systemctl show {UNIT}")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else 0


SECTION = Section(name="service", shell=SHELL, parse=parse, seconds=12, max_bytes=400_000)
