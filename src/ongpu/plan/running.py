"""Is the running Ollama what is declared? Told from the process itself: its program, its environment, its start."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from ongpu.host import ollama_log
from ongpu.host.ollama import Process, Service
from ongpu.host.paths import DROP_IN, UNIT
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.plan import config_line, environment, sandbox, stranded
from ongpu.plan.context import Context, Halt, because
from ongpu.plan.files import content_of
from ongpu.plan.movers import require_none_in_files
from ongpu.plan.release import Installed, installed
from ongpu.plan.secrets import shown

_OURS = ("OLLAMA_", "CUDA_", "LLAMA_ARG_", "GGML_")
_TOLD_TO = timedelta(seconds=1)  # ExecMainStartTimestamp, as `systemctl show` prints it
_RACE = timedelta(minutes=10)  # after this, whatever the boot loads is loaded


def reasons_to_restart(context: Context, service: Service) -> list[str]:
    """Each in a few words without secret values; empty when the process is as declared.

    Raises Halt("unknown") when the process could not be looked at, Halt("unsupported") for what no restart would mend.
    """
    match service.main:
        case Known(value=process):
            pass
        case Absent() | Unreadable() as blind:
            raise Halt("unknown", f"cannot tell what the running Ollama was started with: {because(blind)}")
    there = installed(context)
    return [
        *_program(context, process, there),
        *_environment(context, service, process),
        *(_before_the_driver(context, service) or stranded.reasons(context, service, process)),
    ]


def _program(context: Context, process: Process, there: Installed) -> list[str]:
    match process.exe:
        case Known(value=exe):
            pass
        case Absent() | Unreadable() as blind:
            # readlink says nothing at all when it may not look.
            denied = "no permission to look: " if isinstance(blind, Unreadable) and blind.allow else ""
            raise Halt("unknown", f"cannot tell which Ollama is running: {denied}{because(blind)}")
    path = exe.removesuffix(" (deleted)")
    if path.rpartition("/")[2] != "ollama":
        return _version(context, there)  # started through an interpreter or a wrapper: its path says nothing
    if path != there.exe:
        return [f"it runs {path}, not {there.exe}"]
    return [f"its program {path} was replaced"] if path != exe else []


def _version(context: Context, there: Installed) -> list[str]:
    api = value_or_none(context.snapshot.api)
    match api.version if api else Unreadable("the API was not read"):
        case Known(value=version):
            return [] if version == there.version else [f"it is {version}, not {there.version}"]
        case Absent() | Unreadable() as blind:
            raise Halt("unknown", f"cannot tell which version of Ollama is running: {because(blind)}")


def _environment(context: Context, service: Service, process: Process) -> list[str]:
    match process.environ:
        case Known(value=running):
            pass
        case Absent() | Unreadable() as blind:
            raise Halt("unknown", f"cannot read the environment of the running Ollama: {because(blind)}")
    declared = environment.declared(context)
    differing = [
        f"{name} is {_words(name, running.get(name))}, declared {shown(name, value)}"
        for name, value in declared.items()
        if running.get(name) != value
    ]
    opened = sandbox.lines(context)
    marker = environment.marked(declared, opened)[environment.MARKER]
    if opened and not differing and running.get(environment.MARKER) != marker:
        differing.append("it was started where the GPU's devices were hidden from it")
    left_over = [f"{name} is still set, but declared nowhere" for name in _left_over(context, service, running)]
    if running.get(environment.MARKER) == marker:
        _require_curable(service, differing, left_over)
    if not (differing or left_over):
        require_none_in_files(service, running, declared)
        _require_taken(context, declared)
    return differing + left_over


def _require_taken(context: Context, declared: Mapping[str, str]) -> None:
    """For a process that was given what is declared. Raises Halt where its own log says that it took something else:
    that is how this release reads it, and no restart changes it."""
    journal = value_or_none(context.snapshot.journal)
    if journal and (misread := config_line.misread(declared, ollama_log.server_config(journal.lines))):
        release = context.spec.ollama.release
        raise Halt(
            "unsupported",
            f'{"; ".join(misread)} (its log, "server config"): declare what Ollama {release} can read, or delete the '
            "line",
        )


def _require_curable(service: Service, differing: list[str], left_over: list[str]) -> None:
    """For a process that was started with our drop-in as it is. Raises Halt for what beats a drop-in: the next
    process would be the same, and each run of ours would restart the service in vain."""
    if differing and service.environment_files:
        files = ", ".join(service.environment_files)
        raise Halt("unsupported", f"{'; '.join(differing)}: {files} beats every drop-in; remove it there")
    if left_over:
        raise Halt(
            "unsupported",
            f"{'; '.join(left_over)}: look at `systemctl show-environment`, unset it, and restart {UNIT} by hand",
        )


def _words(name: str, value: str | None) -> str:
    return "not set" if value is None else shown(name, value)


def _left_over(context: Context, service: Service, running: Mapping[str, str]) -> list[str]:
    """Variables that the process has and that no unit file sets any more. With an EnvironmentFile nobody knows."""
    if service.environment_files:
        return []
    expected = set(environment.declared(context))
    # While our drop-in is to be rewritten, or is not loaded yet, systemd still tells its old content.
    if not (context.pending("override") or service.needs_reload) or DROP_IN not in service.drop_ins:
        expected |= set(service.environment)
    else:
        expected |= set(service.environment) - in_old_drop_in(context)
    return sorted(name for name in running if name.startswith(_OURS) and name not in expected)


def in_old_drop_in(context: Context) -> set[str]:
    """Names of the variables that our drop-in sets as it is on the host now."""
    lines = content_of(context, DROP_IN).splitlines()
    words = (line.removeprefix("Environment=").lstrip('"') for line in lines if line.startswith("Environment="))
    return {word.partition("=")[0] for word in words}


def _before_the_driver(context: Context, service: Service) -> list[str]:
    """Ollama looks for GPUs once: one that came later is never found (Ollama, discover/runner.go)."""
    nvml = value_or_none(context.snapshot.nvml)
    gpus = value_or_none(nvml.gpus) if nvml else None
    if not gpus:
        return []
    started, loaded = value_or_none(service.started_at), _module_loaded_at(context)
    if started is None:
        return []
    if loaded is None:
        return _lost_the_race(context, started)
    if loaded <= started:
        return []
    # systemd tells whole seconds: within the same one, only what Ollama itself found can tell who came first.
    surely = loaded - started >= _TOLD_TO or _found_only_the_cpu(context)
    return ["it was started before the driver was loaded"] if surely else []


def _found_only_the_cpu(context: Context) -> bool:
    journal = value_or_none(context.snapshot.journal)
    found = ollama_log.discoveries(journal.lines) if journal else ()
    return bool(found) and all(discovery.is_cpu for discovery in found)


def _lost_the_race(context: Context, started: datetime) -> list[str]:
    """Without the kernel's word: a process of the boot that found no GPU, on a host that has been up for longer. One
    that was started later and found none has another trouble, which a restart does not mend."""
    system = value_or_none(context.snapshot.system)
    booted = value_or_none(system.booted_at) if system else None
    if system is None or booted is None:
        return []
    in_race = started - booted <= _RACE and system.clock - booted > _RACE
    if in_race and _found_only_the_cpu(context):
        return ["it was started at boot and found no GPU, but the driver has some now"]
    return []


def _module_loaded_at(context: Context) -> datetime | None:
    """The last time that the kernel said so in this boot; None if the line is gone or the log is closed to us."""
    log = value_or_none(context.snapshot.kernel_log)
    return log.module_loaded_at if log else None
