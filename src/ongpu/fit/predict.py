"""The prediction: one model with its settings over devices with free memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ongpu.fit.compute import flash_used
from ongpu.fit.description import Description
from ongpu.fit.facts import Facts, InsufficientFacts
from ongpu.fit.placement import Bytes, Placement, Sizer
from ongpu.fit.quant import is_quantised
from ongpu.fit.search import Search
from ongpu.fit.settings import MIB, Settings, default_batch

CONTEXT_BYTES = 450 * MIB  # a CUDA context with cuBLAS, before any buffer (0.3 to 0.5 GiB by driver and card)
_CONTEXT_ERROR = 150 * MIB
_MOST_CONTEXT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU: free bytes as the driver says. `driver_bytes` = what the process's own context will take of them.

    0 means that `free_bytes` is what llama.cpp sees, after its context is there.
    """

    name: str
    free_bytes: int
    driver_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """What one device (or the host) will hold, in bytes; `error` = how far the sum may be off."""

    device: Device
    bytes: Bytes
    other: int
    error: int

    @property
    def total(self) -> int:
        return self.bytes.total + self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Where a model would lie. `fits` = all of it on the GPUs, with the free margin that llama.cpp leaves."""

    description: Description
    settings: Settings
    placement: Placement
    fits: bool
    devices: tuple[Share, ...]
    host: Share

    @property
    def layers_total(self) -> int:
        return self.description.facts.layers + 1

    @property
    def overflowing(self) -> int:
        """Layers that count as being on a device but have experts elsewhere."""
        return len(self.placement.moved)

    @property
    def needed(self) -> int:
        """Bytes on all devices together."""
        return sum(share.total for share in self.devices)


def check(description: Description, settings: Settings) -> None:
    """Raises InsufficientFacts for settings that llama.cpp refuses to load."""
    if settings.flash == "off" and is_quantised(settings.type_v) and not description.facts.arch.encoder:
        raise InsufficientFacts(
            f"{description.name}: a {settings.type_v} value cache needs flash attention, which is off; "
            "the load would fail"
        )


def predict(description: Description, settings: Settings, devices: Sequence[Device]) -> Prediction:
    """Raises InsufficientFacts for settings that cannot be loaded at all."""
    check(description, settings)
    facts = description.facts
    free = tuple(max(0, device.free_bytes - device.driver_bytes) for device in devices)
    sizer = Sizer(facts, description.tensors, settings, len(devices))
    search = Search(sizer, free)
    placement = search.run() if devices else Placement((-1,) * (facts.layers + 1))
    on_devices, on_host = sizer.use(placement)
    complete = placement.is_complete and bool(devices)
    shares = []
    for number, (device, used) in enumerate(zip(devices, on_devices, strict=True)):
        projector = description.projector_bytes if number == 0 else 0
        error = error_of(description, settings, used, complete)
        error += projector // 2 + (_CONTEXT_ERROR if device.driver_bytes else 0)
        shares.append(Share(device, used, projector + (device.driver_bytes if used.total else 0), error))
    fits = complete and search.fits(placement)
    if fits and not (facts.is_known and not description.tensors.is_estimate):
        # Nobody checked this: it must fit with the error on top.
        fits = all(
            room >= share.bytes.total + settings.margin_bytes + share.error
            for room, share in zip(free, shares, strict=True)
            if share.bytes.total
        )
    host = Share(Device("host", 0), on_host, 0, error_of(description, settings, on_host, complete))
    return Prediction(
        description=description,
        settings=settings,
        placement=placement,
        fits=fits,
        devices=tuple(shares),
        host=host,
    )


def error_of(description: Description, settings: Settings, used: Bytes, complete: bool) -> int:
    """How far off the sum may be. From the residuals of the checked tuples; wider where nothing was checked."""
    facts = description.facts
    error = used.weights // 2000
    if description.tensors.is_estimate and used.weights:
        error = used.weights // 20 + description.tensors.embedding  # which may be on the GPU a second time, or not
    if not used.compute:
        return error
    if not facts.is_known:
        return error + (used.kv + used.state) // 4 + used.compute + 128 * MIB
    share = 10 if complete else 4
    if not settings.planner.is_checked:
        share = 3
    return error + used.compute // share + 2 * MIB


def with_context(settings: Settings, num_ctx: int, fixed_batch: bool) -> Settings:
    """The same settings for another context; the batch follows as Ollama chooses it unless it is fixed."""
    changed = replace(settings, num_ctx=num_ctx)
    return (
        changed if fixed_batch else replace(changed, batch=default_batch(num_ctx * settings.parallel, settings.flash))
    )


def largest_context(
    description: Description, settings: Settings, devices: Sequence[Device], fixed_batch: bool = True
) -> int:
    """The largest num_ctx (in steps of 256, up to what the model was trained for) with everything on the GPUs.

    0 if none fits.
    """
    most = description.facts.context_length or _MOST_CONTEXT

    def fits(num_ctx: int) -> bool:
        return predict(description, with_context(settings, num_ctx, fixed_batch), devices).fits

    if fits(most):
        return most
    low, high = 0, -(-most // 256)  # in steps of 256: low fits (0 always does), high does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(256 * middle) else (low, middle)
    return 256 * low


def choose(description: Description, settings: Settings, devices: Sequence[Device]) -> Sequence[Device]:
    """The GPUs that Ollama lets a model see: the freest one if 80 % of it are enough, else all.

    Source: llama-server placement in Ollama's scheduler; its own coarse forecast decides, not this prediction.
    """
    if len(devices) < 2:
        return devices
    best = max(devices, key=lambda device: device.free_bytes)
    return [best] if coarse(description.facts, description, settings) * 10 <= best.free_bytes * 8 else devices


def coarse(facts: Facts, description: Description, settings: Settings) -> int:
    """Ollama's forecast (PredictServerVRAM): file size and a plain f16 cache."""
    heads = max(1, facts.heads)
    kv = 4 * facts.layers * min(facts.kv_heads, default=0) * (facts.n // heads) * settings.num_ctx * settings.parallel
    return description.tensors.file_bytes + kv


def can_quantise(description: Description, settings: Settings) -> bool:
    """Would a quantised cache change anything, and load?"""
    facts = description.facts
    cached = any(facts.cached(i) for i in range(facts.layers))
    return cached and flash_used(facts, replace(settings, flash="auto", type_k="f16", type_v="f16"))
