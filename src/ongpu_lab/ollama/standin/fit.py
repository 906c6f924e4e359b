"""llama.cpp's fit step (common/fit.cpp): how many layers go on which device so that a margin stays free."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from .sizing import EXPERTS, HOST, Buffers, Placement, Sizer, Use, split_layers

MIB = 1 << 20
_IMPL = "common_params_fit_impl"


@dataclass(frozen=True)
class Card:
    """A device as llama-server sees it: `CUDA0`, its description, and its memory in bytes."""

    name: str
    description: str
    pci_id: str
    total: int
    free: int

    def __str__(self) -> str:
        return f"{self.name} ({self.description})"


@dataclass(frozen=True)
class Wish:
    """What the user has already decided: layers on the GPU (None = automatic), tensors on the host, margins in MiB."""

    layers: int | None
    host: re.Pattern[str] | None
    targets: tuple[int, ...]
    enabled: bool = True


Log = Callable[[str], None]


def place(sizer: Sizer, cards: list[Card], wish: Wish, log: Log) -> Placement:
    """The placement that llama-server would choose; `log` gets its lines."""
    start = _asked(sizer, cards, wish)
    if not wish.enabled:
        return start
    log("common_params_fit_impl: getting device memory data for initial parameters:")
    if not cards:
        _without_device(sizer, start, log)
        return start
    use = sizer.use(start, len(cards))
    breakdown(use, cards, log)
    targets = [wish.targets[min(i, len(wish.targets) - 1)] * MIB for i in range(len(cards))]
    used = sum(buffers.total for buffers in use.devices.values())
    if len(cards) > 1:
        log("common_params_fit_impl: projected memory use with initial parameters [MiB]:")
        for number, card in enumerate(cards):
            mine = use.devices[number].total
            log(
                f"common_params_fit_impl:   - {card}: {card.total // MIB:6d} total, {mine // MIB:6d} used, "
                f"{(card.free - mine) // MIB:6d} free vs. target of {targets[number] // MIB:6d}"
            )
    log(
        f"common_params_fit_impl: projected to use {used // MIB} MiB of device memory vs. "
        f"{sum(card.free for card in cards) // MIB} MiB of free device memory"
    )
    missing = [max(0, use.devices[i].total + targets[i] - card.free) for i, card in enumerate(cards)]
    if not any(missing):
        _meets(cards, used, targets, log)
        return start
    return _reduce(sizer, cards, wish, targets, sum(missing), start, log)


def _asked(sizer: Sizer, cards: list[Card], wish: Wish) -> Placement:
    """The placement before any fit: what the user asked for, else everything on the GPUs."""
    count = sizer.layers + 1
    # With no device at all every layer still counts as offloaded (recorded with LLAMA_ARG_DEVICE=none).
    wanted = count if wish.layers is None or wish.layers < 0 else min(wish.layers, count)
    if not cards:
        return Placement((HOST,) * count, wish.host)
    spread = split_layers(wanted, [card.free for card in cards])
    return Placement((HOST,) * (count - wanted) + spread, wish.host)


def _without_device(sizer: Sizer, start: Placement, log: Log) -> None:
    use = sizer.use(start, 0)
    breakdown(use, [], log)
    total = system_memory()
    used = use.host.total
    log(f"{_IMPL}: projected to use {used // MIB} MiB of host memory vs. {total // MIB} MiB of total host memory")
    log(f"common_params_fit_impl: will leave {(total - used) // MIB} >= 1024 MiB of system memory, no changes needed")
    log("common_fit_params: successfully fit params to free device memory")


def _meets(cards: list[Card], used: int, targets: list[int], log: Log) -> None:
    if len(cards) > 1:
        log("common_params_fit_impl: targets for free memory can be met on all devices, no changes needed")
    else:
        log(
            f"common_params_fit_impl: will leave {(cards[0].free - used) // MIB} >= {targets[0] // MIB} "
            "MiB of free device memory, no changes needed"
        )
    log("common_fit_params: successfully fit params to free device memory")


def _reduce(
    sizer: Sizer, cards: list[Card], wish: Wish, targets: list[int], missing: int, start: Placement, log: Log
) -> Placement:
    if len(cards) > 1:
        log(f"{_IMPL}: cannot meet free memory targets on all devices, need to use {missing // MIB} MiB less in total")
    else:
        log(
            f"common_params_fit_impl: cannot meet free memory target of {targets[0] // MIB} MiB, "
            f"need to reduce device memory by {missing // MIB} MiB"
        )
    log(f"common_params_fit_impl: context size set by user to {sizer.settings.context} -> no change")
    if wish.layers is not None and wish.layers >= 0:
        log(
            "common_fit_params: failed to fit params to free device memory: "
            f"n_gpu_layers already set by user to {wish.layers}, abort"
        )
        return start
    if wish.host:
        log(
            "common_fit_params: failed to fit params to free device memory: "
            "model_params::tensor_buft_overrides already set by user, abort"
        )
        return start
    budgets = [card.free - targets[i] for i, card in enumerate(cards)]
    experts = any(EXPERTS.search(tensor.name) for tensor in sizer.model.tensors)
    placement = _experts(sizer, cards, budgets, log) if experts else None
    if placement is None:
        log("common_params_fit_impl: filling dense layers back-to-front:")
        placement = _dense(sizer, cards, budgets, EXPERTS if experts else None)
    use = sizer.use(placement, len(cards))
    overflowing = len(
        {t.layer for t in sizer.model.tensors if EXPERTS.search(t.name) and placement.of(t) == HOST} - {None}
    )
    for number, card in enumerate(cards):
        count = placement.layers.count(number)
        extra = f" ({overflowing:2d} overflowing)" if overflowing and number == len(cards) - 1 else ""
        mine = use.devices[number].total
        log(
            f"{_IMPL}:   - {card}: {count:2d} layers{extra}, {mine // MIB:6d} MiB used, "
            f"{(card.free - mine) // MIB:6d} MiB free"
        )
    log("common_fit_params: successfully fit params to free device memory")
    return placement


def _dense(sizer: Sizer, cards: list[Card], budgets: list[int], host: re.Pattern[str] | None) -> Placement:
    """Whole layers from the output backwards, the last device first."""
    count = sizer.layers + 1
    layers = [HOST] * count
    upper = count
    for number in reversed(range(len(cards))):
        first = upper
        while first > 0:
            trial = [*layers]
            trial[first - 1 : upper] = [number] * (upper - first + 1)
            use = sizer.use(Placement(tuple(trial), host), len(cards))
            if use.devices[number].total > budgets[number]:
                break
            layers, first = trial, first - 1
        upper = first
    return Placement(tuple(layers), host)


def _experts(sizer: Sizer, cards: list[Card], budgets: list[int], log: Log) -> Placement | None:
    """All dense parts on the GPUs and as many experts as fit; None if not even the dense parts fit."""
    log("common_params_fit_impl: getting device memory data with all MoE tensors moved to system memory:")
    count = sizer.layers + 1
    spread = split_layers(count, [card.free for card in cards])
    names = {
        layer: frozenset(t.name for t in sizer.model.tensors if t.layer == layer and EXPERTS.search(t.name))
        for layer in range(count - 1)
    }
    everything = frozenset().union(*names.values())
    placement = Placement(spread, None, everything)
    use = sizer.use(placement, len(cards))
    breakdown(use, cards, log)
    surplus = sum(budgets) - sum(buffers.total for buffers in use.devices.values())
    if any(use.devices[i].total > budgets[i] for i in range(len(cards))):
        log(
            f"{_IMPL}: with only dense weights in device memory there is still a total deficit of {-surplus // MIB} MiB"
        )
        return None
    log(f"{_IMPL}: with only dense weights in device memory there is a total surplus of {surplus // MIB} MiB")
    log(
        "common_params_fit_impl: converting dense-only layers to full layers and filling them front-to-back "
        "with overflow to next device/system memory:"
    )
    for layer in reversed(range(count - 1)):  # the last layers get their experts back first
        trial = replace(placement, partial=placement.partial - names[layer])
        use = sizer.use(trial, len(cards))
        if any(use.devices[i].total > budgets[i] for i in range(len(cards))):
            break
        placement = trial
    return placement


def breakdown(use: Use, cards: list[Card], log: Log) -> None:
    """The table of common_memory_breakdown_print."""
    width = max([len(f"  - {card}") for card in cards] + [len("  - Host")])
    title = "memory breakdown [MiB]"
    width = max(width, len(title))
    prefix = "common_memory_breakdown_print: | "
    log(f"{prefix}{title:<{width}} | total   free    self   model   context   compute    unaccounted |")
    for number, card in enumerate(cards):
        b = use.devices[number]
        log(
            f"{prefix}{f'  - {card}':<{width}} | {card.total // MIB:5d} = {card.free // MIB:4d} + "
            f"({b.total // MIB:4d} = {_parts(b)}) + {(card.total - card.free - b.total) // MIB:11d} |"
        )
    b = use.host
    log(f"{prefix}{'  - Host':<{width}} | {'':<16}{b.total // MIB:4d} = {_parts(b)}{'':<16}|")


def _parts(buffers: Buffers) -> str:
    return f"{buffers.model // MIB:5d} + {buffers.kv // MIB:7d} + {buffers.compute // MIB:7d}"


def system_memory(key: str = "MemTotal") -> int:
    """Bytes of a line of /proc/meminfo."""
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) << 10
    return 0
