"""ollama.service, only where there is none. Someone else's unit is never edited (design D7)."""

from __future__ import annotations

from ongpu.host.paths import ACCOUNT, BINARY, UNIT, UNIT_FILE
from ongpu.plan.context import Context, Halt, Resource
from ongpu.plan.files import found, written
from ongpu.plan.release import install_of, service_of, unit_is_ours
from ongpu.plan.render import render
from ongpu.plan.types import Change, Run

RELOAD = Run(command="systemctl daemon-reload", what="reload systemd's unit files", seconds=120)


def _changes(context: Context) -> list[Change]:
    install_of(context)
    service = service_of(context)
    if service and service.load_state == "masked":
        raise Halt("refused", f"{UNIT} is masked on this host: `systemctl unmask {UNIT}` first, if that is no mistake")
    if (service or found(context, UNIT_FILE)) and not unit_is_ours(context):
        return []
    file = written(context, UNIT_FILE, render("ollama.service.j2", binary=BINARY, user=ACCOUNT))
    if not file and service:
        return []
    if not file:  # a run that was killed between the file and the reload
        return [Change(resource="unit", summary=f"let systemd read {UNIT_FILE}", steps=(RELOAD,))]
    summary = f"create {UNIT}" if file.new else f"rewrite our {UNIT}"
    return [Change(resource="unit", summary=summary, steps=(file.put, RELOAD), diff=file.diff)]


RESOURCE = Resource(name="unit", applies=lambda spec: spec.ollama.wanted, changes=_changes)
