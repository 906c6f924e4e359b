"""Layers over devices, by llama.cpp's rules (llama-model.cpp: load_tensors)."""

from __future__ import annotations

from collections.abc import Sequence

from ongpu.fit.placement import HOST


def by_share(layers: int, on_device: int, shares: Sequence[int], output_first: bool = True) -> tuple[int, ...]:
    """Where the `layers` layers and the output go if the last `on_device` of them are shared out by `shares`.

    Shares are the free memory of each device. A layer goes to the first device whose cumulative share is above the
    layer's place. Without `output_first` the output is the last to lie on a device.
    """
    if not output_first and on_device <= layers:
        return (*by_share(layers - 1, on_device, shares), HOST)
    entries = layers + 1
    on_device = max(0, min(on_device, entries))
    first = entries - on_device
    total = sum(shares)
    if not on_device or not total:
        return (HOST,) * entries
    bounds, cumulated = [], 0
    for share in shares:
        cumulated += share
        bounds.append(cumulated / total)
    last = len(shares) - 1
    return (HOST,) * first + tuple(
        next((device for device, bound in enumerate(bounds) if bound > i / on_device), last) for i in range(on_device)
    )


def by_count(layers: int, counts: Sequence[int], output_first: bool = True) -> tuple[int, ...]:
    """The same for a number of layers per device; what is left over stays on the host, at the front."""
    if not output_first and sum(counts) <= layers:
        return (*by_count(layers - 1, counts), HOST)
    placed = [device for device, count in enumerate(counts) for _ in range(count)]
    return (HOST,) * (layers + 1 - len(placed)) + tuple(placed)
