"""Our drop-in for ollama.service: the environment, and the cure for the boot race between Ollama and the driver."""

from __future__ import annotations

from collections.abc import Mapping

from ongpu.host.ollama import Service
from ongpu.host.paths import BINARY, DROP_IN, FIX_DROP_IN, UNIT
from ongpu.plan import environment, fix_drop_in, sandbox
from ongpu.plan.context import Context, Halt, Resource
from ongpu.plan.files import content_of, written
from ongpu.plan.movers import require_none_in_units
from ongpu.plan.release import exec_start_override, install_of, program, service_of
from ongpu.plan.render import render
from ongpu.plan.resources.unit import RELOAD
from ongpu.plan.secrets import is_secret, shown
from ongpu.plan.systemd import assignment
from ongpu.plan.types import Change, Remove, Step

GPU_WAIT_SECONDS = 30


def _changes(context: Context) -> list[Change]:
    install_of(context)
    context.wait_for("fit")
    declared = environment.declared(context)
    if stale := _stale_fix(context, declared):
        return [stale]
    content = text(context, declared)
    mode = "0600" if any(is_secret(name, value) for name, value in declared.items()) else "0644"
    file = written(context, DROP_IN, content, mode)
    service = service_of(context)
    if not file:
        if service and service.needs_reload:
            return [Change(resource="override", summary="let systemd read its unit files again", steps=(RELOAD,))]
        if service and service.exists:
            _require_effective(service, declared)
            sandbox.require_open(context, service)
            require_none_in_units(context, service, declared)
        return []
    summary = f"create the drop-in {DROP_IN}" if file.new else f"change the drop-in {DROP_IN}"
    if not file.diff:
        summary = f"mode and owner of {DROP_IN}: {mode} root"
    elif swapped := environment.swapped(context):
        summary += f"; {swapped}"
    return [Change(resource="override", summary=summary, steps=(file.put, RELOAD), diff=file.diff)]


def text(context: Context, declared: Mapping[str, str]) -> str:
    """The drop-in. The same for the same spec on every look: sorted, no time stamp."""
    opened = sandbox.lines(context)
    return render(
        "ollama-override.conf.j2",
        environment=[assignment(name, value) for name, value in environment.marked(declared, opened).items()],
        opened=opened,
        exec_start=exec_start_override(context, DROP_IN),
        wait_seconds=GPU_WAIT_SECONDS,
    )


def _stale_fix(context: Context, declared: Mapping[str, str]) -> Change | None:
    """The drop-in of `ongpu fix` beats ours: what it took away or set before this was declared has to go there."""
    service = service_of(context)
    if service is None or FIX_DROP_IN not in service.drop_ins:
        return None
    override = fix_drop_in.parse(content_of(context, FIX_DROP_IN))
    kept = override.declared(declared)
    if kept == override:
        return None
    steps: tuple[Step, ...] = (Remove(path=FIX_DROP_IN), RELOAD)
    if not kept.empty:
        put = written(context, FIX_DROP_IN, fix_drop_in.text(kept))
        steps = (put.put, RELOAD) if put else (RELOAD,)
    return Change(resource="override", summary=f"{FIX_DROP_IN}: leave declared variables alone", steps=steps)


def _require_effective(service: Service, declared: Mapping[str, str]) -> None:
    """A later drop-in beats ours, and no restart would change that. Raises Halt and says which file it is."""
    if DROP_IN not in service.drop_ins:
        raise Halt("unsupported", f"systemd does not read {DROP_IN} for {UNIT}: look at `systemctl cat {UNIT}`")
    later = [path for path in service.drop_ins if path.rpartition("/")[2] > DROP_IN.rpartition("/")[2]]
    culprit = " or ".join(later) or "another unit file"
    for name, value in declared.items():
        effective = service.environment.get(name)
        if effective == value:
            continue
        does = "takes it away" if effective is None else f"sets it to {shown(name, effective)}"
        raise Halt(
            "unsupported",
            f"{name} is declared as {shown(name, value)}, but {culprit} {does}: remove that there, or declare "
            "that value",
        )
    if program(service) != BINARY:
        raise Halt(
            "unsupported",
            f"{UNIT} starts {program(service) or 'nothing'} and not {BINARY}, because {culprit} sets ExecStart: remove "
            "that there",
        )


RESOURCE = Resource(name="override", applies=lambda spec: spec.ollama.wanted, changes=_changes)
