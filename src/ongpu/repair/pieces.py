"""One action of a rule -> what it does on this host. A new kind of action is a class in `ongpu.rules.action` and a
function here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import singledispatch

from ongpu.host.paths import HEADER, MODULE_OPTIONS, UNIT
from ongpu.host.reading import value_or_none
from ongpu.plan import environment, shell
from ongpu.plan.context import Context, Halt
from ongpu.plan.endpoint import api_url
from ongpu.plan.files import content_of, found
from ongpu.plan.fix_drop_in import Override
from ongpu.plan.policy import drained
from ongpu.plan.release import service_of
from ongpu.plan.resources import ollama
from ongpu.plan.types import Interrupts, Put, Remove, Run, Step
from ongpu.rules import action
from ongpu.rules.action import Action

_LIBRARY_PACKAGES = ("libcuda1", "libnvidia-ml1", "libnvidia-compute")


def _same(override: Override) -> Override:
    return override


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """`change` makes the drop-in what it shall be; the rest as in Proposal."""

    summary: str
    change: Callable[[Override], Override] = field(default=_same)
    resources: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    stopped: tuple[Run, ...] = ()
    undo: tuple[Put | Remove, ...] = ()
    needs: Interrupts = Interrupts.NONE


@singledispatch
def _piece(done: object, context: Context) -> Piece:
    raise TypeError(f"no steps for {done!r}")


def piece(context: Context, done: Action) -> Piece:
    """Raises Halt or Later where it cannot be planned on this host."""
    return _piece(done, context)


@_piece.register
def _converge(done: action.Converge, context: Context) -> Piece:
    return Piece(summary=f"make as declared: {', '.join(done.resources)}", resources=done.resources)


@_piece.register
def _reinstall(done: action.Reinstall, context: Context) -> Piece:
    change = ollama.again(context)
    return Piece(
        summary=change.summary,
        resources=("prerequisites", "account", "ollama", "unit", "override"),
        steps=change.steps,
    )


@_piece.register
def _unset(done: action.Unset, context: Context) -> Piece:
    declared = environment.declared(context)
    given = {name: declared[name] for name in done.names if name in declared}
    if given and (service := value_or_none(context.snapshot.service)) and service.environment_files:
        files = " or ".join(service.environment_files)
        raise Halt("refused", f"{', '.join(given)} is declared, and {files} beats every drop-in: correct it there")

    def change(override: Override) -> Override:
        for name in done.names:
            override = override.having(name, given[name]) if name in given else override.without(name)
        return override

    told = [f"set {name} as declared" if name in given else f"take {name} away" for name in done.names]
    return Piece(summary=f"{', '.join(told)} (by a drop-in of ongpu)", change=change, needs=Interrupts.RESTART)


@_piece.register
def _assign(done: action.Assign, context: Context) -> Piece:
    value = environment.declared(context).get(done.name, done.value)
    return Piece(
        summary=f"set {done.name}={value} (by a drop-in of ongpu)",
        change=lambda override: override.having(done.name, value),
        needs=Interrupts.RESTART,
    )


@_piece.register
def _setting(done: action.UnitSetting, context: Context) -> Piece:
    return Piece(
        summary=f"set {done.name}={done.value} (by a drop-in of ongpu)",
        change=lambda override: override.setting(done.name, done.value),
        needs=Interrupts.RESTART,
    )


@_piece.register
def _reload(done: action.ReloadModule, context: Context) -> Piece:
    steps, undo = _options(done, context) if done.options else ((), ())
    stop = shell.run(f"reload the kernel module {done.name}", "stopped", seconds=180, UNIT=UNIT, MODULE=done.name)
    summary = f"reload the kernel module {done.name}{f' with {done.options}' if done.options else ''}"
    return Piece(summary=summary, steps=steps, undo=undo, stopped=(stop,), needs=Interrupts.RESTART)


def _options(done: action.ReloadModule, context: Context) -> tuple[tuple[Put, ...], tuple[Put | Remove, ...]]:
    line = f"options {done.name} {done.options}"
    there = content_of(context, MODULE_OPTIONS)
    if line in there.splitlines():
        return (), ()
    content = f"{there or f'# {HEADER}: written by `ongpu fix`.' + chr(10)}{line}\n"
    back: Put | Remove = Remove(path=MODULE_OPTIONS)
    if found(context, MODULE_OPTIONS):
        back = Put(path=MODULE_OPTIONS, content=there)
    return (Put(path=MODULE_OPTIONS, content=content),), (back,)


@_piece.register
def _enable(done: action.EnableUnit, context: Context) -> Piece:
    step = Run(command=f"systemctl enable --now {done.unit}", what=f"enable and start {done.unit}", seconds=120)
    return Piece(summary=f"enable and start {done.unit}", steps=(step,))


@_piece.register
def _relink(done: action.RelinkLibraries, context: Context) -> Piece:
    packages = value_or_none(context.snapshot.packages)
    installed = [
        f"{package.name}={package.version}"
        for package in (packages.installed if packages else ())
        if package.name.startswith(_LIBRARY_PACKAGES) and package.status[1:2] not in ("c", "n")
    ]
    step = shell.run("find the driver's libraries", "relink", seconds=900, PACKAGES=" ".join(installed))
    summary = "put the driver's libraries back on the loader's path"
    return Piece(summary=summary, resources=action.DRIVER.resources, steps=(step,))


@_piece.register
def _unload(done: action.Unload, context: Context) -> Piece:
    step = shell.run(
        f"unload {', '.join(done.models)}",
        "unload",
        seconds=120,
        API=api_url(context.spec.ollama.listen),
        MODELS="\n".join(done.models),
    )
    return Piece(summary=f"unload {', '.join(done.models)}, to be loaded anew", steps=(*drained(context), step))


@_piece.register
def _restart(done: action.Restart, context: Context) -> Piece:
    if service_of(context) is None:
        return Piece(summary="no restart: there is no ollama.service yet")
    return Piece(summary="restart ollama", needs=Interrupts.RESTART)


@_piece.register
def _reboot(done: action.Reboot, context: Context) -> Piece:
    return Piece(summary="restart the host", needs=Interrupts.REBOOT)
