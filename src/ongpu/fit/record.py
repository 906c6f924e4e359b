"""A prediction as a JSON-able record: `{"models": [...]}`, all sizes in MiB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ongpu.fit.advice import Advice
from ongpu.fit.predict import Prediction, Share
from ongpu.fit.settings import MIB


def model_record(prediction: Prediction, largest: int, advice: Sequence[Advice]) -> dict[str, Any]:
    """`largest` = largest num_ctx that fits, 0 if none."""
    return {
        "name": prediction.description.name,
        "architecture": prediction.description.facts.name,
        "fits": prediction.fits,
        "layers_total": prediction.layers_total,
        "layers_on_gpu": prediction.placement.on_device,
        "largest_num_ctx": largest,
        "devices": [_share(share) for share in prediction.devices],
        "host": {**_share(prediction.host), "free_mib": None},
        "advice": [{"change": a.change, "saves_mib": _mib(a.saves_bytes), "fits": a.fits} for a in advice],
    }


def _share(share: Share) -> dict[str, Any]:
    used = share.bytes
    return {
        "name": share.device.name,
        "free_mib": _mib(share.device.free_bytes),
        "weights_mib": _mib(used.weights),
        "kv_mib": _mib(used.kv),
        "state_mib": _mib(used.state),
        "compute_mib": _mib(used.compute),
        "other_mib": _mib(used.output + share.other),
        "total_mib": _mib(share.total),
        "error_mib": _mib(share.error),
    }


def _mib(size: int) -> float:
    return round(size / MIB, 4)
