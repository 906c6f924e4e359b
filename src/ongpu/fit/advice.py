"""What would make a model fit, ranked: what is enough before what is not, the harmless before the costly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ongpu.fit.description import Description
from ongpu.fit.estimate import bits_per_weight
from ongpu.fit.predict import Device, Prediction, can_quantise, largest_context, predict, with_context
from ongpu.fit.quant import row_bytes
from ongpu.fit.settings import MIB
from ongpu.fit.tensors import Layer, Tensors

_SMALL_MARGIN = 256 * MIB
_SMALLER = (("Q8_0", 8.5), ("Q4_K_M", 4.85), ("Q3_K_M", 3.9))  # bits of a weight, mixtures included


@dataclass(frozen=True, slots=True)
class Advice:
    """A change in words, with its cost; `saves_bytes` = less needed or more free on the GPUs. `fits` with it alone."""

    change: str
    saves_bytes: int
    fits: bool


@dataclass(frozen=True, slots=True)
class Occupied:
    """Bytes on each device that could be freed, and whose they are."""

    change: str
    by_device: dict[str, int]


def advise(
    prediction: Prediction,
    devices: Sequence[Device],
    occupied: Sequence[Occupied] = (),
    fixed_batch: bool = True,
) -> tuple[Advice, ...]:
    """Nothing if it fits already. Several changes together may be enough where none alone is."""
    if prediction.fits or not devices:
        return ()
    found = [
        *_settings(prediction, devices),
        *_context(prediction, devices, fixed_batch),
        *_room(prediction, devices, occupied),
        *_weights(prediction, devices),
    ]
    useful = [advice for advice in found if advice.fits or advice.saves_bytes > 0]
    return tuple(sorted(useful, key=lambda advice: not advice.fits))


def _all_on_gpu(prediction: Prediction, devices: Sequence[Device]) -> int:
    """Bytes that the whole model would take on unlimited devices of the same shares."""
    roomy = [replace(device, free_bytes=device.free_bytes + 2**46) for device in devices]
    return predict(prediction.description, prediction.settings, roomy).needed


def _changed(
    change: str,
    prediction: Prediction,
    devices: Sequence[Device],
    description: Description | None = None,
    **settings: object,
) -> Advice:
    new = replace(prediction.settings, **settings)  # type: ignore[arg-type]
    after = predict(description or prediction.description, new, devices)
    saved = _all_on_gpu(prediction, devices) - _all_on_gpu(after, devices)
    saved += (prediction.settings.margin_bytes - new.margin_bytes) * len(devices)
    return Advice(change, saved, after.fits)


def _settings(prediction: Prediction, devices: Sequence[Device]) -> Iterator[Advice]:
    s = prediction.settings
    if s.margin_bytes > _SMALL_MARGIN and not prediction.description.projector_bytes:
        yield _changed(
            f"LLAMA_ARG_FIT_TARGET={_SMALL_MARGIN // MIB} (less memory kept free on each GPU; "
            "other programs may then make a load fail)",
            prediction,
            devices,
            margin_bytes=_SMALL_MARGIN,
        )
    if s.flash == "off":
        yield _changed("flash attention on (no loss on cards that can)", prediction, devices, flash="auto")
    if s.batch > 512:
        yield _changed("batch 512 (slower reading of prompts)", prediction, devices, batch=512)
    if s.parallel > 1:
        yield _changed("parallel 1 (requests wait for each other)", prediction, devices, parallel=1)
    if can_quantise(prediction.description, s):
        for kind, cost in (("q8_0", "hardly any loss of quality"), ("q4_0", "some loss of quality")):
            if row_bytes(kind, 256) < row_bytes(s.type_k, 256):
                flash = "on" if s.flash == "on" else "auto"
                change = f"KV cache {kind} ({cost})"
                yield _changed(change, prediction, devices, type_k=kind, type_v=kind, flash=flash)


def _context(prediction: Prediction, devices: Sequence[Device], fixed_batch: bool) -> Iterator[Advice]:
    s = prediction.settings
    largest = largest_context(prediction.description, s, devices, fixed_batch)
    smaller = largest if 0 < largest < s.num_ctx else min(4096, s.num_ctx // 2)
    if smaller >= 256:
        change = f"num_ctx {smaller} instead of {s.num_ctx} (shorter prompts and conversations)"
        batch = with_context(s, smaller, fixed_batch).batch
        yield _changed(change, prediction, devices, num_ctx=smaller, batch=batch)


def _room(prediction: Prediction, devices: Sequence[Device], occupied: Sequence[Occupied]) -> Iterator[Advice]:
    for item in occupied:
        freed = sum(item.by_device.values())
        if freed:
            roomier = [replace(d, free_bytes=d.free_bytes + item.by_device.get(d.name, 0)) for d in devices]
            fits = predict(prediction.description, prediction.settings, roomier).fits
            yield Advice(item.change, freed, fits)
    best = max(devices, key=lambda device: device.free_bytes)
    for more in (1, 2, 3):
        wider = [*devices, *[best] * more]
        fits = predict(prediction.description, prediction.settings, wider).fits
        if fits or more == 3:
            free = best.free_bytes // MIB
            yield Advice(f"{more} more GPU{'s' * (more > 1)} with {free} MiB free", more * best.free_bytes, fits)
            return


def _weights(prediction: Prediction, devices: Sequence[Device]) -> Iterator[Advice]:
    """Smaller quantisations, as a share of what the weights take now."""
    facts, tensors = prediction.description.facts, prediction.description.tensors
    bits = bits_per_weight(facts, tensors)
    for name, smaller in _SMALLER:
        if smaller < bits * 0.85:
            scaled = replace(prediction.description, tensors=_scaled(tensors, smaller / bits))
            change = f"a {name} quantisation of the model (another download; about {smaller:g} bits per weight)"
            yield _changed(change, prediction, devices, description=scaled)


def _scaled(tensors: Tensors, share: float) -> Tensors:
    def part(sizes: dict[str, int]) -> dict[str, int]:
        return {name: int(size * share) for name, size in sizes.items()}

    layers = tuple(
        Layer(
            int(layer.dense * share),
            int(layer.feed * share),
            part(layer.experts),
            part(layer.matrices),
            int(layer.host_dense * share),
            part(layer.host_experts),
        )
        for layer in tensors.layers
    )
    return replace(
        tensors,
        layers=layers,
        embedding=int(tensors.embedding * share),
        embedding_device=int(tensors.embedding_device * share),
        output=int(tensors.output * share),
        output_host=int(tensors.output_host * share),
    )
