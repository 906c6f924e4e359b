"""Which layer lies where, and what every device and the host hold then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ongpu.fit.cache import kv_of_layer, state_of_layer
from ongpu.fit.compute import HostParts, Work
from ongpu.fit.facts import Facts
from ongpu.fit.settings import Settings
from ongpu.fit.tensors import Tensors

HOST = -1


@dataclass(frozen=True, slots=True)
class Moved:
    """A part of a layer that is kept elsewhere: expert matrices by name, `feed` = the whole feed-forward block."""

    to: int
    parts: frozenset[str]


ALL_EXPERTS = frozenset(("up", "down", "gate", "gate_up"))


@dataclass(frozen=True, slots=True)
class Placement:
    """`where[i]` is the device of layer i, the last entry that of the output; HOST = -1."""

    where: tuple[int, ...]
    moved: Mapping[int, Moved] = field(default_factory=dict)

    @property
    def on_device(self) -> int:
        """Layers on devices as llama.cpp prints them: the output counts as one."""
        return sum(device != HOST for device in self.where)

    @property
    def is_complete(self) -> bool:
        return self.on_device == len(self.where) and not self.moved


@dataclass(slots=True)
class Bytes:
    """What one device or the host holds."""

    weights: int = 0
    kv: int = 0
    state: int = 0
    compute: int = 0
    output: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.kv + self.state + self.compute + self.output


@dataclass(frozen=True, slots=True)
class Sizer:
    """The sizes of one model under one set of settings."""

    facts: Facts
    tensors: Tensors
    settings: Settings
    devices: int

    def use(self, placement: Placement) -> tuple[list[Bytes], Bytes]:
        """(bytes per device, bytes on the host)."""
        devices, host = [Bytes() for _ in range(self.devices)], Bytes()
        self._globals(placement, devices, host)
        for number in range(self.facts.layers):
            device = placement.where[number]
            target = host if device == HOST else devices[device]
            self._weights(number, device, placement.moved.get(number), devices, host)
            target.kv += kv_of_layer(self.facts, self.settings, number)
            target.state += state_of_layer(self.facts, self.settings, number)
        self._compute(placement, devices, host)
        per_slot = self.facts.vocabulary + (self.facts.n if self.facts.arch.encoder else 0)
        host.output = 4 * self.settings.parallel * per_slot
        return devices, host

    def _globals(self, placement: Placement, devices: list[Bytes], host: Bytes) -> None:
        t = self.tensors
        host.weights += t.embedding + t.always_host
        last = placement.where[-1]
        if last == HOST:
            host.weights += t.output_host
        else:
            devices[last].weights += t.output + (t.embedding_device if t.tied else 0)
        for device in set(placement.where[:-1]):
            (host if device == HOST else devices[device]).weights += t.rope

    def _weights(self, number: int, device: int, moved: Moved | None, devices: list[Bytes], host: Bytes) -> None:
        layer = self.tensors.layers[number]
        if device == HOST:
            host.weights += layer.host_dense + sum(layer.host_experts.values())
            return
        parts = moved.parts if moved else frozenset()
        stays = layer.dense + sum(size for part, size in layer.experts.items() if part not in parts)
        leaves = sum(size for part, size in layer.experts.items() if part in parts)
        if "feed" in parts:
            stays, leaves = stays - layer.feed, leaves + layer.feed
        devices[device].weights += stays
        if moved:
            (host if moved.to == HOST else devices[moved.to]).weights += leaves

    def _compute(self, placement: Placement, devices: list[Bytes], host: Bytes) -> None:
        lost = self._loses_flash(placement)
        work = Work.of(self.facts, self.settings, lost)
        if not devices:
            host.compute = work.device()
            return
        host.compute = work.host() + (work.attention() if lost and not work.flash else 0)
        if any(placement.where[i] == HOST and self.facts.recurrent[i] for i in range(self.facts.layers)):
            host.compute += work.host_state()
        used = {device for device in placement.where if device != HOST} or {0}
        pipeline = len(used) > 1 and placement.is_complete and self.settings.peer_copy
        for device in used:
            devices[device].compute = work.device(is_first=pipeline or device == min(used))
        if pipeline:
            # Pipeline parallel: four copies of the inputs, so that devices work at the same time.
            host.compute += 3 * work.inputs()
            for device in used:
                devices[device].compute += 3 * work.inputs() + work.pipeline(is_first=device == min(used))
        elif not placement.is_complete and self.settings.tokens >= 32:
            # Matrices of host layers are copied to the first device for a batch of 32 tokens and more.
            copied = work.inputs() + work.copied(self._on_host(placement))
            if self.facts.arch.border_bug and not self._has_attention(placement):
                copied -= work.mask()
                devices[0].compute = copied
            devices[0].compute = max(devices[0].compute, copied)

    def _has_attention(self, placement: Placement) -> bool:
        """Is attention computed on the devices: of a layer there, or of the one at the border?"""
        if self._loses_flash(placement):
            return True
        return any(placement.where[i] != HOST and self.facts.cached(i) for i in range(self.facts.layers))

    def _loses_flash(self, placement: Placement) -> bool:
        """Is the last layer on the host that is no mere feed-forward block one with attention?

        Then llama.cpp schedules its attention on the GPU while the layer is the CPU's, says `Flash Attention not
        supported`, and the scores of a whole layer appear. Seen with hybrids whose layers have one block each.
        """
        if not self.facts.arch.border_bug:
            return False
        on_host = [i for i in range(self.facts.layers) if placement.where[i] == HOST]
        if not on_host or len(on_host) == self.facts.layers:
            return False
        for i in reversed(on_host):
            if self.facts.cached(i):
                return True
            if self.facts.recurrent[i]:
                return False
        return False

    def _on_host(self, placement: Placement) -> HostParts:
        """The largest matrices and the largest cache of layers on the host."""
        found = HostParts()
        for number, layer in enumerate(self.tensors.layers):
            moved = placement.moved.get(number)
            whole = placement.where[number] == HOST
            parts = moved.parts if moved and moved.to == HOST else frozenset()
            for part, size in layer.host_experts.items():
                if whole or part in parts:
                    found.experts[part] = max(found.experts.get(part, 0), size)
            if whole or "feed" in parts:
                for part, size in layer.matrices.items():
                    found.dense[part] = max(found.dense.get(part, 0), size)
            if whole:
                found.kv = max(found.kv, kv_of_layer(self.facts, self.settings, number))
        return found
