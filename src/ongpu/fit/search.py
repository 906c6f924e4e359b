"""How many layers go where when not everything fits: llama.cpp's own search (common/fit.cpp).

False position over whole layers, device by device; for mixtures of experts first all experts on the host, then
layers get theirs back from the front, and one layer may be split.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ongpu.fit.placement import ALL_EXPERTS, HOST, Bytes, Moved, Placement, Sizer
from ongpu.fit.split import by_count, by_share

# What the one split layer may leave behind, from little on the device to much.
_ATTENTION = ALL_EXPERTS | {"feed"}
_UP = frozenset(("gate", "down", "gate_up"))
_GATE = frozenset(("down",))


@dataclass(frozen=True, slots=True)
class Share:
    """Layers of one device; the last `part` of them without experts, the first of those by `split`."""

    layers: int = 0
    part: int = 0
    split: frozenset[str] = ALL_EXPERTS

    @property
    def full(self) -> int:
        return self.layers - self.part


Shares = tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """`free` = bytes free on each device."""

    sizer: Sizer
    free: tuple[int, ...]

    def everything(self) -> Placement:
        layers = self.sizer.facts.layers
        return Placement(by_share(layers, layers + 1, self.free))

    def fits(self, placement: Placement) -> bool:
        return all(used <= target for used, target in zip(self._used(placement), self._targets(), strict=True))

    def run(self) -> Placement:
        """Everything if it fits, else as much as fits."""
        full = self.everything()
        if not self.free or self.fits(full):
            return full
        shares = self._fill()
        if self.sizer.facts.is_moe and self._room_without_experts():
            shares = self._give_back(shares)
        return self._place(shares)

    def _used(self, placement: Placement) -> list[int]:
        devices: list[Bytes] = self.sizer.use(placement)[0]
        return [device.total for device in devices]

    def _targets(self) -> list[int]:
        return [free - self.sizer.settings.margin_bytes for free in self.free]

    def _place(self, shares: Shares) -> Placement:
        output_first = self.sizer.settings.planner.output_first
        where = by_count(self.sizer.facts.layers, [share.layers for share in shares], output_first)
        moved: dict[int, Moved] = {}
        start = next((i for i, device in enumerate(where) if device != HOST), len(where))
        for device, share in enumerate(shares):
            for i in range(start + share.full, start + share.layers):
                first = i == start + share.full
                onward = device + 1 if first and share.split != ALL_EXPERTS and device + 1 < len(shares) else HOST
                if i < self.sizer.facts.layers:
                    moved[i] = Moved(onward, share.split if first else ALL_EXPERTS)
            start += share.layers
        return Placement(where, moved)

    def _measure(self, shares: Shares) -> list[int]:
        return self._used(self._place(shares))

    def _room_without_experts(self) -> bool:
        where = self.everything().where
        bare = Placement(where, {i: Moved(HOST, ALL_EXPERTS) for i in range(self.sizer.facts.layers)})
        targets = self._targets()
        return sum(targets) - sum(self._used(bare)) > 0

    def _fill(self) -> Shares:
        """Whole layers from the back to the front; of mixtures of experts without the experts."""
        moe, last = self.sizer.facts.is_moe, len(self.free) - 1
        shares: Shares = (Share(),) * len(self.free)
        for device in range(last, -1, -1):
            left = self.sizer.facts.layers + 1 - sum(share.layers for share in shares)

            def grown(steps: int, base: Shares, device: int = device) -> Shares:
                old = base[device]
                extra = steps - 1 if device == last and old.layers == 0 else steps
                new = replace(old, layers=old.layers + steps, part=old.part + extra if moe else 0)
                return (*base[:device], new, *base[device + 1 :])

            shares = self._false_position(device, shares, left, grown)
        return shares

    def _false_position(self, device: int, low: Shares, delta: int, grow: Callable[[int, Shares], Shares]) -> Shares:
        """Grows `low` by as many of `delta` steps as the device takes. Memory is taken to grow with every step."""
        if delta <= 0:
            return low
        target = self._targets()[device]
        high = grow(delta, low)
        used_low, used_high = self._measure(low)[device], self._measure(high)[device]
        if used_high <= target:
            return high
        while delta > 1:
            slope = used_high - used_low
            step = delta * max(0, target - used_low) // slope if slope > 0 else 1
            step = min(max(step, 1), delta - 1)
            test = grow(step, low)
            used = self._measure(test)[device]
            if used <= target:
                low, used_low, delta = test, used, delta - step
            else:
                used_high, delta = used, step
        return low

    def _give_back(self, shares: Shares) -> Shares:
        """Layers without experts become whole layers on the first devices, and at last a part of one more."""
        start = next((i for i, share in enumerate(shares) if share.layers), len(shares))
        for device in range(len(shares)):
            if device > start or start == len(shares):
                break

            def converted(steps: int, base: Shares, device: int = device, start: int = start) -> Shares:
                new = list(base)
                for i in range(start, len(new)):
                    step = min(steps, new[i].part)
                    new[i] = replace(new[i], layers=new[i].layers - step, part=new[i].part - step)
                    new[device] = replace(new[device], layers=new[device].layers + step)
                    steps -= step
                return tuple(new)

            parts = sum(share.part for share in shares[start:])
            shares = self._false_position(device, shares, parts, converted)
            while start < len(shares) and not shares[start].part:
                start += 1
            if start < len(shares):
                shares = self._one_more(device, start, shares)
        return shares

    def _one_more(self, device: int, start: int, shares: Shares) -> Shares:
        """A part of the next layer's experts on this device, as much as it takes."""
        last = len(shares) - 1

        def split(parts: frozenset[str]) -> Shares:
            new = list(shares)
            new[start] = replace(new[start], layers=new[start].layers - 1, part=new[start].part - 1)
            new[device] = replace(new[device], layers=new[device].layers + 1, part=new[device].part + 1, split=parts)
            return tuple(new)

        def fits(test: Shares) -> bool:
            used, targets = self._measure(test), self._targets()
            return used[device] < targets[device] and (device == last or used[device + 1] < targets[device + 1])

        if fits(split(_UP)):
            return split(_GATE) if fits(split(_GATE)) else split(_UP)
        return split(_ATTENTION) if fits(split(_ATTENTION)) else shares
