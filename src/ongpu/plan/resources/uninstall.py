"""Ollama as ongpu has installed it: stopped and removed, where the inventory says `absent`. Models and account stay.

The service of a distribution's package that was taken over (`replace`) is given back to it: it runs on, without ongpu.
"""

from __future__ import annotations

from ongpu.host.ollama import OllamaInstall, Service
from ongpu.host.paths import BINARY, CURRENT, DROP_IN, FIX_DROP_IN, RELEASES, UNIT, UNIT_FILE
from ongpu.plan import shell
from ongpu.plan.context import Context, Halt, Resource
from ongpu.plan.files import found
from ongpu.plan.policy import drained, require_restart
from ongpu.plan.release import install_of, service_of, unit_is_ours
from ongpu.plan.resources.unit import RELOAD
from ongpu.plan.types import Change, Interrupts, Remove, Run, Step


def _changes(context: Context) -> list[Change]:
    install = install_of(context)
    service = service_of(context)
    files = [path for path in (DROP_IN, FIX_DROP_IN) if found(context, path)]
    linked = any(binary.path == BINARY and binary.resolved.startswith(f"{RELEASES}/") for binary in install.binaries)
    ours = bool(files or install.kept or linked)
    if service and not unit_is_ours(context):
        if ours and install.packaging:
            return [_given_back(context, install, service, files)]
        if ours:
            raise Halt("refused", f"{UNIT} on this host is not ongpu's ({service.fragment}): remove that first")
        return []
    if unit_is_ours(context):
        files.append(UNIT_FILE)
    if not (files or ours):
        return []
    steps: list[Step] = []
    if service and service.is_running:
        require_restart(context, f"{UNIT} would be stopped and removed")
        steps += drained(context)
    if service:
        steps.append(Run(command=f"systemctl disable --quiet --now {UNIT}", what=f"stop {UNIT}", seconds=180))
    steps += [Remove(path=path) for path in files]
    steps.append(RELOAD)
    steps.append(shell.run("remove ollama", "ollama-remove", RELEASES=RELEASES, CURRENT=CURRENT, BINARY=BINARY))
    running = bool(service and service.is_running)
    return [
        Change(
            resource="uninstall",
            summary=f"remove ollama {', '.join(install.kept) or ''}".rstrip() + f" and {UNIT}; models stay",
            steps=tuple(steps),
            interrupts=Interrupts.RESTART if running else Interrupts.NONE,
        )
    ]


def _given_back(context: Context, install: OllamaInstall, service: Service, files: list[str]) -> Change:
    steps: list[Step] = []
    if service.is_running:
        require_restart(context, f"{UNIT} would be given back to the {install.packaging[0]} package")
        steps += drained(context)
    steps += [*(Remove(path=path) for path in files), RELOAD]
    if service.is_running:
        steps.append(Run(command=f"systemctl restart {UNIT}", what=f"restart {UNIT}", seconds=180))
    steps.append(shell.run("remove ollama", "ollama-remove", RELEASES=RELEASES, CURRENT=CURRENT, BINARY=BINARY))
    return Change(
        resource="uninstall",
        summary=f"give {UNIT} back to the {install.packaging[0]} package and remove ollama {', '.join(install.kept)}",
        steps=tuple(steps),
        interrupts=Interrupts.RESTART if service.is_running else Interrupts.NONE,
    )


RESOURCE = Resource(
    name="uninstall", applies=lambda spec: spec.ollama.manage and not spec.ollama.wanted, changes=_changes
)
