"""A prediction for people to read."""

from __future__ import annotations

from ongpu.fit.advice import Advice
from ongpu.fit.predict import Prediction, Share
from ongpu.fit.settings import MIB
from ongpu.report._text import columns, plural

_HEAD = ("  MiB", "free", "weights", "KV", "state", "compute", "other", "total", "+-")


def table(prediction: Prediction, largest: int, advice: tuple[Advice, ...]) -> str:
    """The verdict, the settings, a row per device, and what would help; `largest` = 0 if no num_ctx fits."""
    s, facts = prediction.settings, prediction.description.facts
    total, done = prediction.layers_total, prediction.placement.on_device
    lines = [f"{_plain(prediction.description.name)} {'fits' if prediction.fits else 'does not fit'}: "]
    lines[0] += f"{done} of {total} layers on the GPU"
    if prediction.overflowing:
        lines[0] += f", experts of {plural(prediction.overflowing, 'layer')} elsewhere"
    lines.append(
        f"  {_plain(facts.name)}{'' if facts.is_known else ' (unknown architecture: rough figures)'}, "
        f"num_ctx {s.num_ctx} x {s.parallel}, KV {s.type_k}, batch {s.batch}; "
        + (f"largest num_ctx that fits: {largest}" if largest else "no num_ctx fits")
    )
    rows = [_HEAD, *(_row(share) for share in (*prediction.devices, prediction.host))]
    lines += columns(rows, right=frozenset(range(1, len(_HEAD))))
    for item in advice:
        enough = "would fit" if item.fits else "not enough alone"
        lines.append(f"  {enough}: {_plain(item.change)}, saves {item.saves_bytes / MIB:.0f} MiB")
    return "\n".join(lines)


def _row(share: Share) -> tuple[str, ...]:
    used = share.bytes
    other = used.output + share.other
    sizes = (used.weights, used.kv, used.state, used.compute, other, share.total, share.error)
    free = f"{share.device.free_bytes / MIB:.0f}" if share.device.free_bytes else "-"
    return (f"  {_plain(share.device.name)}", free, *(f"{size / MIB:.0f}" for size in sizes))


def _plain(text: str) -> str:
    """Names come from files and hosts: no control characters on the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)
