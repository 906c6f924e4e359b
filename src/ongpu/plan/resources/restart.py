"""The running process is what is declared. Planned from the process itself, never because something else changed:
so a run that was killed anywhere heals when it is run again (design D3).

After a restart the service must be at least as well as before: it answers, in the pinned version, has found every GPU
with CUDA, and the models that were resident are resident again, the declared ones as much on the GPU as they were;
where nothing was resident, the smallest declared one is loaded before, so that there is something to compare with. A
release or a drop-in that makes it worse is rolled back to what served before it (D7); the step fails all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from ongpu.host.duration import go_seconds
from ongpu.host.model_name import full
from ongpu.host.ollama import Runner, Service
from ongpu.host.paths import ACCOUNT, BINARY, CURRENT, DROP_IN, LAST_GOOD, RELEASES, REPLACED, UNIT
from ongpu.host.reading import Known, value_or_none
from ongpu.plan import shell
from ongpu.plan.context import Context, Halt, Later, Resource
from ongpu.plan.endpoint import api_url
from ongpu.plan.environment import MARKER, swapped
from ongpu.plan.policy import drained, may_restart, require_restart
from ongpu.plan.release import install_of, service_of
from ongpu.plan.running import reasons_to_restart
from ongpu.plan.types import Change, Interrupts, Run, Step

LOAD_SECONDS = 600  # for each model that was resident: a cold 70B model from a slow disk takes minutes
TRY_SECONDS = 180  # for the one that is loaded before a restart only to compare with; one that takes longer is not
KEEP_SECONDS = 300  # Ollama's default keep_alive
API_SECONDS = 240  # discovery asks each backend directory for up to 30 s, then all devices again (Ollama, discover/)


def _changes(context: Context) -> list[Change]:
    install_of(context)
    context.wait_for("fit", "account", "ollama", "unit", "override")
    service = service_of(context)
    if service is None or not service.is_running:
        return _start(context, service)
    reasons = reasons_to_restart(context, service)
    if not reasons and context.pending("driver", "switch", "module"):
        raise Later(
            "Ollama looks for GPUs only at its start, so after the driver it is restarted", may_restart(context)
        )
    if not reasons and service.needs_reload:
        raise Later("can only be known after systemd has read its unit files again", may_restart(context))
    orphans = _orphans(service)
    if reasons:
        why = f"restart {UNIT}: {'; '.join(reasons)}"
        require_restart(context, f"ollama needs a restart ({'; '.join(reasons)})")
        restart = _step(context, service, "restart", "restart ollama", why="; ".join(reasons))
        steps: tuple[Step, ...] = (*drained(context), restart)
        return [*orphans, Change(resource="restart", summary=why, steps=steps, interrupts=Interrupts.RESTART)]
    if service.enabled == "disabled":
        step = _step(context, service, "", f"enable {UNIT} at boot")
        return [*orphans, Change(resource="restart", summary=f"enable {UNIT} at boot", steps=(step,))]
    return orphans


def _orphans(service: Service) -> list[Change]:
    """Runners of Ollama that outlived their server (it was killed, and systemd did not end them): they hold GPU memory,
    and nobody can ask them anything. A llama-server that somebody started by hand is not ours to end."""
    runners = value_or_none(service.runners) or ()
    pids = [str(runner.process.pid) for runner in runners if _is_orphan(runner, service)]
    if not pids:
        return []
    what = f"end the orphaned runner{'s' if len(pids) > 1 else ''} {', '.join(pids)}"
    step = shell.run(what, "orphans", seconds=60 * len(pids), PIDS=" ".join(pids))
    return [Change(resource="restart", summary=f"{what} (the server that loaded it is gone)", steps=(step,))]


def _is_orphan(runner: Runner, service: Service) -> bool:
    process = runner.process
    by_ollama = isinstance(process.exe, Known) and (
        "/lib/ollama/" in process.exe.value or process.exe.value.removesuffix(" (deleted)").endswith("/ollama")
    )
    return runner.orphan and process.parent_pid == 1 and by_ollama and process.user == (service.user or ACCOUNT)


def restart_for(context: Context, why: str, stopped: tuple[Run, ...] = ()) -> Change:
    """A restart that repairs what the plan itself does not see; `why` in a few words. `stopped` is run between stop
    and start. Raises Halt where there is no service of ours to restart, or it may not be interrupted now."""
    install_of(context)
    service = service_of(context)
    if service is None or not context.spec.ollama.manage:
        raise Halt("refused", f"{why} needs a restart of {UNIT}, which ongpu does not manage on this host")
    interrupts = Interrupts.RESTART if service.is_running else Interrupts.NONE
    if interrupts:
        require_restart(context, f"{why} needs a restart of {UNIT}")
    steps: tuple[Step, ...] = (*drained(context), *stopped, _step(context, service, "restart", "restart ollama"))
    return Change(resource="restart", summary=f"restart {UNIT}: {why}", steps=steps, interrupts=interrupts)


def _start(context: Context, service: Service | None) -> list[Change]:
    if context.pending("driver", "switch", "module"):
        boots = context.earlier.interrupts is Interrupts.REBOOT and service is not None
        raise Later(
            "Ollama looks for GPUs only at its start, so it is started after the driver is loaded",
            may_restart(context, will_run=boots),
        )
    if service is None or context.pending("account", "ollama", "unit"):
        # One whose unit file was deleted runs on until somebody stops it.
        raise Later("can only be started after it is installed", may_restart(context))
    state = service.active_state if service.active_state != "inactive" else "not running"
    step = _step(context, service, "restart", "start ollama")
    return [Change(resource="restart", summary=f"start {UNIT} (it is {state})", steps=(step,))]


def _step(context: Context, service: Service, verb: str, what: str, why: str = "") -> Run:
    target = Target(
        api=api_url(context.spec.ollama.listen),
        version=context.spec.ollama.release,
        old=_way_back(context),
        models_dir=context.spec.ollama.models_dir or "",
    )
    return step(context, service, target, verb=verb, what=what, why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the service is to be after a restart. `old`: the release that is put back if it is not well then.

    `as_it_was`: somebody wants an earlier state back, whatever it was like. Then it is well when it answers in that
    version, also with fewer GPUs or with models on the CPU.
    """

    api: str
    version: str
    old: str = ""
    models_dir: str = ""
    as_it_was: bool = False


def step(context: Context, service: Service, target: Target, *, verb: str, what: str, why: str) -> Run:
    """The restart with its health gate and its way back. `verb`: `restart`, or empty to enable only."""
    return shell.run(
        what,
        "serve",
        "health",
        "restart",
        seconds=2 * (API_SECONDS + LOAD_SECONDS) + TRY_SECONDS + 400,
        WHY=why,
        VERB=verb,
        ENABLE="yes" if service.enabled in ("disabled", "") else "",
        UNIT=UNIT,
        API=target.api,
        SECONDS_LIMIT=str(API_SECONDS),
        MODELS_DIR=target.models_dir,
        USER=service.user or ACCOUNT,
        GROUP=service.group or service.user or ACCOUNT,
        OLD=target.old,
        RELEASES=RELEASES,
        CURRENT=CURRENT,
        DROP_IN=DROP_IN,
        GOOD=LAST_GOOD,
        BINARY=BINARY,
        REPLACED=REPLACED,
        WANTED=target.version,
        GPUS="" if target.as_it_was else _gpus(context),
        DECLARED="" if target.as_it_was else " ".join(full(name) for name in context.spec.models),
        TURNS="yes" if swapped(context) else "",
        LOAD_LIMIT=str(LOAD_SECONDS),
        TRY_LIMIT=str(TRY_SECONDS),
        **_serving_now(context, service),
    )


def _serving_now(context: Context, service: Service) -> dict[str, str]:
    """What is compared with, and what the way back leads to. BARE = a process without our drop-in; API_BEFORE = where
    it answers; KEEP and CONTEXT = what it gives a model that asks for nothing else."""
    process = value_or_none(service.main) if service.is_running else None
    running = value_or_none(process.environ) if process else None
    if running is None:
        api = api_url(context.spec.ollama.listen)
        return {"BARE": "", "API_BEFORE": api, "KEEP": str(KEEP_SECONDS), "CONTEXT": ""}
    keep = go_seconds(running.get("OLLAMA_KEEP_ALIVE", ""))
    default = running.get("OLLAMA_CONTEXT_LENGTH", "")
    return {
        "BARE": "" if MARKER in running else "yes",
        "API_BEFORE": api_url(running.get("OLLAMA_HOST", "")),
        "KEEP": str(KEEP_SECONDS if keep is None else -1 if keep < 0 else int(keep)),
        "CONTEXT": default if default.isascii() and default.isdecimal() and int(default) else "",
    }


def _gpus(context: Context) -> str:
    """How many GPUs Ollama must find with CUDA: the chosen ones, else all that answer now. Empty where that is not
    known, or where an instance of a GPU counts for itself (MIG). GPUs that no build serves (5.0 is the oldest) do not
    count."""
    if context.spec.ollama.gpus != "all":
        return str(len(context.spec.ollama.gpus))
    nvml = value_or_none(context.snapshot.nvml)
    gpus = value_or_none(nvml.gpus) if nvml else None
    if not gpus or any(value_or_none(gpu.info.mig) for gpu in gpus):
        return ""
    old = sum((value_or_none(gpu.info.compute_capability) or "9")[:2] in ("3.", "2.", "1.") for gpu in gpus)
    return str(len(gpus) - old)


def _way_back(context: Context) -> str:
    """The release of ours that runs now and is still there, if another one is declared; empty if there is none."""
    api = value_or_none(context.snapshot.api)
    version = value_or_none(api.version) if api else None
    kept = install_of(context).kept
    return version if version and version in kept and version != context.spec.ollama.release else ""


RESOURCE = Resource(name="restart", applies=lambda spec: spec.ollama.wanted, changes=_changes)
