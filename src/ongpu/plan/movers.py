"""Variables that keep work off the GPUs and that nobody declared: a service that has one is not as declared."""

from __future__ import annotations

from collections.abc import Mapping

from ongpu.host import suspects
from ongpu.host.ollama import Service
from ongpu.host.paths import DROP_IN, FIX_DROP_IN, UNIT_FILE
from ongpu.plan.context import Context, Halt
from ongpu.plan.release import unit_is_ours
from ongpu.plan.secrets import shown

_NO_LAYERS = (*suspects.LAYER_VARIABLES, *suspects.DRAFT_LAYER_VARIABLES)


def movers(environment: Mapping[str, str]) -> dict[str, str]:
    """Those of the variables that keep work off the GPUs, or hide where it is, with these values. A number of layers
    is judged only where it is 0: what is too few depends on the model."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if (name in suspects.VARIABLES and suspects.VARIABLES[name](value))
        or (name in _NO_LAYERS and value.strip() == "0")
    }


def require_none_in_units(context: Context, service: Service, declared: Mapping[str, str]) -> None:
    """Raises Halt for a mover in the service's effective Environment=, with every file that can set it: systemd does
    not say which one does."""
    found = {name: value for name, value in movers(service.environment).items() if name not in declared}
    files = [path for path in service.drop_ins if path not in (DROP_IN, FIX_DROP_IN)]
    if service.fragment and not (service.fragment == UNIT_FILE and unit_is_ours(context)):
        files.append(service.fragment)
    if found:
        raise Halt(
            "unsupported", f"{_effects(found)}; it is set by {' or '.join(files) or 'a unit file'}: remove it there"
        )


def require_none_in_files(service: Service, running: Mapping[str, str], declared: Mapping[str, str]) -> None:
    """Raises Halt for a mover that the process has from an EnvironmentFile=, whose content systemd does not tell."""
    found = {name: value for name, value in movers(running).items() if name not in declared}
    if found and service.environment_files:
        files = " or ".join(service.environment_files)
        raise Halt("unsupported", f"{_effects(found)}; it is set by {files}: remove it there and restart the service")


def _effects(found: Mapping[str, str]) -> str:
    return " and ".join(f"{name}={shown(name, value)} {_effect(name)}" for name, value in found.items())


def _effect(name: str) -> str:
    return "hides the GPUs" if name == "CUDA_VISIBLE_DEVICES" else "keeps work off the GPUs"
