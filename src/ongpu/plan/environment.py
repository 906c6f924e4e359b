"""The service's environment as declared: what the spec says in words, and what follows from its models and GPUs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, TypeVar

from ongpu.host.gpu import Gpu, pci_address
from ongpu.host.reading import Known, Unreadable, value_or_none
from ongpu.plan import gpu_settings
from ongpu.plan.context import Context, Halt, Later, known
from ongpu.plan.policy import may_restart
from ongpu.plan.secrets import shown
from ongpu.spec import ollama_variables
from ongpu.spec.model import ModelSpec

T = TypeVar("T")

# Carried by the process: tells one that was started with these settings from one that is still to be restarted.
MARKER = "ONGPU_SETTINGS"


def marked(declared: Mapping[str, str], more: tuple[str, ...] = ()) -> dict[str, str]:
    """The variables with MARKER, which is the same for the same variables and other lines of the drop-in (`more`)."""
    text = "\0".join([*(f"{name}={value}" for name, value in sorted(declared.items())), *more])
    return {**declared, MARKER: hashlib.sha256(text.encode()).hexdigest()[:16]}


def declared(context: Context) -> dict[str, str]:
    """Sorted by name. Raises Halt for contradictions, Later when a GPU is named that cannot be looked up yet."""
    environment = {name: str(value) for name, value in context.spec.ollama.env.items()}
    for name, (value, reason) in _derived(context).items():
        given = environment.setdefault(name, value)
        if given != value:
            raise Halt(
                "unsupported",
                f"ollama.env.{name} is {shown(name, given)}, but {reason} needs {value}; drop one of the two",
            )
    if ollama_variables.numbers(context.spec.ollama.release) >= ollama_variables.SINCE["OLLAMA_VULKAN"]:
        # Vulkan would take a GPU that CUDA refused, and those that CUDA_VISIBLE_DEVICES hides (discover/vulkan.go).
        environment.setdefault("OLLAMA_VULKAN", "0")
    if (count := _side_by_side(context)) is not None:
        environment.setdefault("OLLAMA_MAX_LOADED_MODELS", str(count))
    _require_it_works(context, environment)
    return dict(sorted(environment.items()))


def _require_it_works(context: Context, environment: dict[str, str]) -> None:
    """Raises Halt for what the models or the GPUs of this host make of the variables."""
    try:
        ollama_variables.check_cache(context.spec.ollama.release, environment)
    except ValueError as error:
        raise Halt("unsupported", f"ollama.env.{error}") from None
    if context.spec.models and environment.get("OLLAMA_CONTEXT_LENGTH") == "0":
        raise Halt(
            "unsupported",
            "ollama.env.OLLAMA_CONTEXT_LENGTH is 0, which follows the VRAM that Ollama finds at its start: a GPU more "
            "or less would change how much the models need; write a number",
        )
    gpu_settings.require(context, environment)


def _derived(context: Context) -> dict[str, tuple[str, str]]:
    """name -> (value, what in the inventory it comes from)."""
    ollama, models = context.spec.ollama, context.spec.models
    derived = {"OLLAMA_HOST": (ollama.listen, "ollama.listen")}
    if ollama.models_dir:
        derived["OLLAMA_MODELS"] = (ollama.models_dir, "ollama.models_dir")
    if isinstance(ollama.gpus, list):
        derived["CUDA_VISIBLE_DEVICES"] = (",".join(_uuids(context, ollama.gpus)), "ollama.gpus")
    if (context_length := _context_length(models, ollama.env)) is not None:
        derived["OLLAMA_CONTEXT_LENGTH"] = (str(context_length), "the largest `context` of the models")
    if (parallel := _agreed(models, "parallel", {m: s.parallel for m, s in models.items()})) is not None:
        derived["OLLAMA_NUM_PARALLEL"] = (str(parallel), "`parallel` of the models")
    if (kv := _agreed(models, "kv_cache_type", {m: s.kv_cache_type for m, s in models.items()})) is not None:
        derived["OLLAMA_KV_CACHE_TYPE"] = (kv, "`kv_cache_type` of the models")
    return derived


def _side_by_side(context: Context) -> int | None:
    """The number of declared models where Ollama would keep fewer loaded by itself: three for each GPU (sched.go)."""
    nvml = value_or_none(context.snapshot.nvml)
    gpus = value_or_none(nvml.gpus) if nvml else None
    count = len(gpus) if gpus is not None else context.spec.expect.gpus
    declared = len(context.spec.models)
    return declared if declared > 3 * max(1, count or 0) else None


def swapped(context: Context) -> str:
    """What it means that Ollama may keep fewer models loaded than are declared; empty where it may not."""
    declared = len(context.spec.models)
    most = str(context.spec.ollama.env.get("OLLAMA_MAX_LOADED_MODELS", "")).strip()
    if not most.isdecimal() or not 0 < int(most) < declared:
        return ""
    return (
        f"OLLAMA_MAX_LOADED_MODELS is {most}, so {most} of the {declared} declared models stay{'s' * (most == '1')} "
        "loaded: a request for another one waits for its load and evicts one. They are proven in turn; for all of them "
        f"side by side, raise it to {declared} or leave it out"
    )


_SMALLEST_DEFAULT = 4096  # Ollama's default below 24 GB of VRAM (server/routes.go); above, it depends on the VRAM


def _context_length(models: Mapping[str, ModelSpec], env: Mapping[str, Any]) -> int | None:
    """Always pinned where models are declared: Ollama's own default follows the VRAM that it finds at its start,
    so a GPU more or less would move a model off the GPU."""
    largest = max((model.context for model in models.values() if model.context and not model.from_), default=None)
    if largest is None and models and env.get("OLLAMA_CONTEXT_LENGTH") is None:
        return _SMALLEST_DEFAULT
    return largest


def _agreed(models: Mapping[str, ModelSpec], key: str, values: Mapping[str, T | None]) -> T | None:
    """Service-wide settings: models that declare one must declare the same."""
    given = {model: value for model, value in values.items() if value is not None}
    if len(set(given.values())) > 1:
        listed = ", ".join(f"{model}: {value}" for model, value in sorted(given.items()))
        raise Halt("unsupported", f"`{key}` holds for the whole service, but the models differ ({listed})")
    return next(iter(given.values()), None)


def _uuids(context: Context, chosen: list[str]) -> list[str]:
    """UUIDs as given; PCI addresses looked up. A MIG UUID is taken as it is."""
    by_uuid = all(name.startswith(("GPU-", "MIG-")) for name in chosen)
    gpus = _gpus(context, needed=not by_uuid)
    if gpus is None:
        return chosen
    addresses = {pci_address(gpu.info.pci_address): gpu.info.uuid for gpu in gpus}
    found: list[str] = []
    for name in chosen:
        uuid = name if name.startswith(("GPU-", "MIG-")) else addresses.get(pci_address(name), "")
        if not uuid or (uuid.startswith("GPU-") and uuid not in addresses.values()):
            have = ", ".join(f"{gpu.info.uuid} at {gpu.info.pci_address}" for gpu in gpus) or "none"
            raise Halt("unsupported", f"ollama.gpus names {name}, which is not on this host (there: {have})")
        found.append(uuid)
    return found


def _gpus(context: Context, *, needed: bool) -> tuple[Gpu, ...] | None:
    """None = not known, and not needed."""
    match context.snapshot.nvml:
        case Known(value=nvml):
            gpus = nvml.gpus
        case reading:
            gpus = Unreadable(reading.why)
    if isinstance(gpus, Known):
        return gpus.value
    if context.pending("driver", "switch", "module"):
        if not needed:
            return None
        raise Later("the GPUs can only be looked up after the driver is loaded", may_restart(context))
    return known(gpus, "which GPUs ollama.gpus means") if needed else None
