"""How well `ongpu fit` predicts: against exact tuples of llama.cpp's planner and against buffers of real loads.

    script/bench fit --exact DIR --memory DIR [--worst N]

DIR of --exact holds JSON lines (metadata, tensors by layer, runtime, measured); DIR of --memory one JSON file per load.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ongpu.fit.cache import kv_of_layer
from ongpu.fit.description import Description
from ongpu.fit.facts import Facts, facts_of
from ongpu.fit.placement import Bytes, Placement, Sizer
from ongpu.fit.predict import error_of
from ongpu.fit.search import Search
from ongpu.fit.settings import MIB, Settings
from ongpu.fit.split import by_share
from ongpu.fit.tensors import Tensor, Tensors, add_up


@dataclass
class Score:
    """Differences in MiB and as a share, and decisions."""

    differences: dict[str, list[tuple[float, float, str]]] = field(default_factory=lambda: defaultdict(list))
    decisions: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))

    architectures: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def of_architecture(self, name: str, device: Bytes, recorded: dict[str, int], complete: bool) -> None:
        """Everything on one device: what can be held against the tuple, by architecture."""
        found = self.architectures[name]
        found["weights"].append(abs(device.weights - recorded["model"]) / MIB)
        found["caches"].append(abs(device.kv + device.state - recorded["context"]) / MIB)
        if complete:
            found["compute"].append(abs(device.compute - recorded["compute"]) / recorded["compute"])

    def size(self, what: str, ours: int, theirs: int, name: str) -> None:
        away = (ours - theirs) / MIB
        self.differences[what].append((away, abs(ours - theirs) / theirs if theirs else float(ours != theirs), name))


def tensors_of(record: dict[str, Any], facts: Facts) -> Tensors:
    """The tensor table of a tuple: global tensors by name, layers by group."""
    table = record["tensors"]
    listed = [
        Tensor(name, item["bytes"], item["type"], item["ne"][0]) for name, item in table["global_tensors"].items()
    ]
    for span in table["layer_bytes"]:
        for layer in range(span["from"], span["to"] + 1):
            listed += [Tensor(f"blk.{layer}.{group}", size) for group, size in span["bytes"].items()]
    return add_up(listed, facts)


def settings_of(runtime: dict[str, Any]) -> Settings:
    return Settings(
        num_ctx=runtime["n_ctx"],
        parallel=runtime["parallel"],
        type_k=runtime["type_k"],
        type_v=runtime["type_v"],
        flash=runtime["flash_attn"],
        batch=min(runtime["ubatch"], runtime["batch"]),
        unified=bool(runtime["kv_unified"]),
        peer_copy=not runtime.get("no_events"),
    )


def tuples(directory: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(directory.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            if "per_buffer_type" in record.get("measured", {}):
                yield record


def place(record: dict[str, Any], sizer: Sizer, free: tuple[int, ...]) -> Placement:
    given = record["runtime"]["n_gpu_layers"]
    if given is None:
        return Search(sizer, free).run()
    return Placement(by_share(sizer.facts.layers, given, free))


def judge(record: dict[str, Any], score: Score) -> None:
    runtime, measured = record["runtime"], record["measured"]
    facts = facts_of(record["metadata"])
    settings = settings_of(runtime)
    free = tuple(device["free_mib"] * MIB for device in runtime["devices"] or [])
    sizer = Sizer(facts, tensors_of(record, facts), settings, len(free))
    placement = place(record, sizer, free)
    theirs = measured["per_buffer_type"]
    name = record["id"]
    devices, host = sizer.use(placement)
    score.size(
        "kv+state, all",
        sum(d.kv + d.state for d in [*devices, host]),
        sum(b["bytes"]["context"] for b in theirs.values()),
        name,
    )
    if runtime["backend"] != "cuda-mimic":
        return
    if runtime["n_gpu_layers"] is None:
        decide(record, facts, placement, score)
    done, total = (int(x) for x in measured["offloaded"].split("/"))
    if done != placement.on_device or bool(placement.moved) or measured["overrides_final"]:
        return
    complete = done == total
    sizes(sizer, placement, complete, record, score)


def sizes(sizer: Sizer, placement: Placement, complete: bool, record: dict[str, Any], score: Score) -> None:
    devices, host = sizer.use(placement)
    theirs, name, number = record["measured"]["per_buffer_type"], record["id"], len(devices)
    described = Description(name=name, facts=sizer.facts, tensors=sizer.tensors)
    for i, device in enumerate(devices):
        buffer = theirs.get(f"CUDA{i}")
        if buffer is None:
            continue
        score.size("weights, device", device.weights, buffer["bytes"]["model"], name)
        score.size("kv+state, device", device.kv + device.state, buffer["bytes"]["context"], name)
        kind = f"compute, {number} device{'s' if number > 1 else ''}{'' if complete else ', partial'}"
        score.size(kind, device.compute, buffer["bytes"]["compute"], name)
        score.of_architecture(sizer.facts.name, device, buffer["bytes"], complete and number == 1)
        size = sum(buffer["bytes"].values())
        score.size("total, device", device.total, size, name)
        bar = error_of(described, sizer.settings, device, complete)
        outside = max(0, abs(device.total - size) - bar)
        score.decisions["error bar holds"].append((-(-outside // MIB), name))
    if record["how"] == "dry":
        score.size("weights, host", host.weights, sum(b["bytes"]["model"] for b in theirs.values() if b["host"]), name)
    score.size("compute, host", host.compute, sum(b["bytes"]["compute"] for b in theirs.values() if b["host"]), name)


def decide(record: dict[str, Any], facts: Facts, placement: Placement, score: Score) -> None:
    measured, name = record["measured"], record["id"]
    done, total = (int(x) for x in measured["offloaded"].split("/"))
    full = done == total and not measured["overrides_final"]
    devices = len(record["runtime"]["devices"])
    score.decisions["fits completely"].append((int(placement.is_complete) - int(full), name))
    if full:
        return
    kind = ("moe" if facts.is_moe else "border bug" if facts.arch.border_bug else "dense") + f", {devices} device(s)"
    score.decisions[f"layers, {kind}"].append((placement.on_device - done, name))
    if facts.is_moe and measured["overrides_final"] is not None:
        theirs = sum(1 for o in measured["overrides_final"] if int(o.split("\\.")[1]) < facts.layers)
        score.decisions[f"layers with experts elsewhere, {devices} device(s)"].append(
            (len(placement.moved) - theirs, name)
        )


def loads(directory: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(directory.glob("*.json")):
        yield json.loads(file.read_text(encoding="utf-8"))


def total(value: object) -> float:
    """A size in MiB, or sizes by device."""
    return sum(value.values()) if isinstance(value, dict) else float(value)  # type: ignore[arg-type]


def facts_of_load(metadata: dict[str, Any]) -> Facts | None:
    """What a load's record says about its caches; None if that is too little."""
    layers = metadata.get("n_layer_kv") or metadata.get("n_layer")
    heads, width = metadata.get("n_head_kv"), metadata.get("head_dim") or metadata.get("n_embd_head_k")
    if width is None and metadata.get("n_embd") and metadata.get("n_head"):
        width = metadata["n_embd"] // metadata["n_head"]
    if not (layers and heads and width):
        return None
    keys = {"block_count": layers, "embedding_length": heads * width, "attention.head_count": heads}
    keys |= {"attention.key_length": width, "attention.value_length": width}
    return facts_of({"general.architecture": "llama"} | {f"llama.{key}": value for key, value in keys.items()})


def judge_load(record: dict[str, Any], score: Score) -> bool:
    """Scores the KV cache of a load where its record says enough about it; False where not."""
    runtime, measured = record["runtime"], record["measured"]
    found = [total(measured[key]) for key in ("kv_gpu_mib", "kv_cpu_mib", "kv_host_mib", "kv_mib") if key in measured]
    facts = facts_of_load(record["metadata"])
    if facts is None or not found or "n_ctx" not in runtime or not record.get("kv_check_independent"):
        return False
    unified = bool(runtime.get("kv_unified"))
    slots = int(runtime.get("parallel", 1))
    kind = runtime.get("kv_cache_type", "f16")
    settings = Settings(
        num_ctx=-(-runtime["n_ctx"] // slots), parallel=slots, type_k=kind, type_v=kind, unified=unified
    )
    ours = sum(kv_of_layer(facts, settings, layer) for layer in range(facts.layers))
    score.size("KV of real loads", ours, int(sum(found) * MIB), record["id"])
    return True


def show_architectures(score: Score) -> None:
    def share(found: list[float], limit: float) -> str:
        return f"{100 * sum(away <= limit for away in found) / len(found):6.1f}%" if found else "      -"

    print(f"{'architecture':16} {'n':>4} {'weights':>8} {'caches':>8}   {'n':>3} {'compute':>8}")
    print(f"{'':16} {'':>4} {'0.1 MiB':>8} {'0.1 MiB':>8}   {'':>3} {'1 %':>8} {'10 %':>8}")
    for name, found in sorted(score.architectures.items()):
        weights, caches, compute = found["weights"], found["caches"], found["compute"]
        print(
            f"{name:16} {len(weights):4} {share(weights, 0.1):>8} {share(caches, 0.1):>8}   {len(compute):3}"
            f" {share(compute, 0.01):>8} {share(compute, 0.1):>8}"
        )


def show(score: Score, worst: int) -> None:
    print(f"{'':36} {'n':>5} {'0.1 MiB':>8} {'1 MiB':>7} {'1 %':>7} {'10 %':>7} {'max MiB':>9}")
    for what, found in score.differences.items():
        count = len(found)

        def share(test: list[bool], count: int = count) -> str:
            return f"{100 * sum(test) / count:6.1f}%"

        near = [share([abs(away) <= limit for away, _, _ in found]) for limit in (0.1, 1)]
        near += [share([part <= limit for _, part, _ in found]) for limit in (0.01, 0.1)]
        print(
            f"{what:36} {count:5} {near[0]:>8} {near[1]:>7} {near[2]:>7} {near[3]:>7} "
            f"{max(abs(a) for a, _, _ in found):9.2f}"
        )
    for what, decided in score.decisions.items():
        exact = sum(d == 0 for d, _ in decided)
        near_by = sum(abs(d) <= 1 for d, _ in decided)
        print(
            f"{what:44} {len(decided):5}  exact {100 * exact / len(decided):5.1f}%"
            f"  within 1 {100 * near_by / len(decided):5.1f}%"
        )
    for what, found in score.differences.items():
        for away, part, name in sorted(found, key=lambda item: -item[1])[:worst]:
            if part > 0.01:
                print(f"  {what}: {away:+.2f} MiB ({100 * part:.1f} %) {name}")
    for what, decided in score.decisions.items():
        for away_layers, name in sorted(decided, key=lambda item: -abs(item[0]))[:worst]:
            if away_layers:
                print(f"  {what}: {away_layers:+} {name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exact", type=Path)
    parser.add_argument("--memory", type=Path)
    parser.add_argument("--worst", type=int, default=5)
    given = parser.parse_args()
    if not given.exact and not given.memory:
        parser.error("nothing to measure against: give --exact DIR or --memory DIR")
    if given.exact:
        score = Score()
        for record in tuples(given.exact):
            judge(record, score)
        show_architectures(score)
        show(score, given.worst)
    if given.memory:
        score, skipped = Score(), 0
        for record in loads(given.memory):
            skipped += not judge_load(record, score)
        show(score, given.worst)
        print(f"{skipped} loads say too little about the model to predict anything")
    return 0


if __name__ == "__main__":
    sys.exit(main())
