"""An outlook as sentences with numbers, for plans."""

from __future__ import annotations

from dataclasses import replace

from ongpu.fit.predict import Device, Prediction, predict
from ongpu.fit.together import Outlook

_GIB = 1024**3


def refusal(found: Outlook) -> str:
    """One sentence about the first model that does not fit: what it needs, what there is, what would help."""
    bad = found.first_bad
    if bad is None:
        raise ValueError("everything fits")
    name, before = bad.description.name, found.placed[: found.placed.index(bad)]
    sentence = f"{name} cannot lie fully on the GPU: it needs {_needs(_roomy(bad))}, and {_free(bad)}"
    if before:
        beside = " and ".join(f"{one.description.name} ({gib(one.needed)})" for one in before)
        sentence += f" beside {beside}"
        sentence += "; alone it fits" if found.alone else "; it does not fit alone either"
    if bad.placement.on_device < bad.layers_total:
        sentence += f" ({bad.placement.on_device} of {bad.layers_total} layers would)"
    elif bad.overflowing:
        sentence += f" (the experts of {bad.overflowing} layers would stay in RAM)"
    helps = [one.change for one in found.advice if one.fits][:3]
    return sentence + (
        "; it would fit with " + ", or ".join(helps) if helps else "; no single change would make it fit"
    )


def _needs(prediction: Prediction) -> str:
    used = [share.bytes for share in prediction.devices]
    parts = {
        "weights": sum(one.weights for one in used),
        "KV cache": sum(one.kv + one.state for one in used),
        "compute": sum(one.compute + one.output for one in used),
        "other": sum(share.other for share in prediction.devices),
        "margin": prediction.settings.margin_bytes * sum(1 for one in used if one.total),
    }
    told = ", ".join(f"{name} {size / _GIB:.1f}" for name, size in parts.items() if size >= _GIB // 20)
    return f"{gib(sum(parts.values()))} ({told})"


def _roomy(bad: Prediction) -> Prediction:
    """The same model where there is room: what it needs as a whole."""
    devices = [replace(share.device, free_bytes=share.device.free_bytes + (1 << 46)) for share in bad.devices]
    return predict(bad.description, bad.settings, devices)


def _free(prediction: Prediction) -> str:
    told = [f"{gib(share.device.free_bytes)} on {_short(share.device)}" for share in prediction.devices]
    return f"free are {' and '.join(told)}"


def _short(device: Device) -> str:
    return " ".join(device.name.split()[:2])


def gib(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"


def forecast(found: Outlook, name: str) -> str:
    """For one model: `needs 6.9 GiB on the GPU (...), 7.6 GiB free on GPU 0: fits`; empty if it is not among them."""
    one = next((p for p in found.placed if p.description.name == name), None)
    if one is None:
        return ""
    verdict = "fits" if one.fits else "may not fit" if found.word == "doubtful" else "does not fit"
    return f"needs {_needs(_roomy(one))}, {_free(one)}: {verdict}"
