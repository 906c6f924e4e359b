"""How well `ongpu fit` predicts: against exact tuples of llama.cpp's planner and against buffers of real loads.

    script/bench fit --exact DIR --memory DIR [--worst N]

DIR of --exact holds JSON lines (metadata, tensors by layer, runtime, measured); DIR of --memory one JSON file per load.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from published import Published, published

from ongpu.fit.cache import kv_of_layer, state_of_layer
from ongpu.fit.description import Description
from ongpu.fit.facts import Facts, facts_of
from ongpu.fit.placement import Bytes, Placement, Sizer
from ongpu.fit.predict import error_of
from ongpu.fit.search import Search
from ongpu.fit.settings import MIB, PLANNERS, Planner, Settings, planner_of
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


def total(measured: dict[str, Any], *names: str) -> float | None:
    """MiB over all devices that a record has under these names; None if it has none."""
    found = [measured[name] for name in names if name in measured]
    return sum(sum(one.values()) if isinstance(one, dict) else float(one) for one in found) if found else None


def load_settings(record: dict[str, Any]) -> Settings:
    """A record's `n_ctx` is that of all slots."""
    runtime = record["runtime"]
    slots, kind = int(runtime.get("parallel", 1)), runtime.get("kv_cache_type", "f16")
    return Settings(
        num_ctx=-(-runtime["n_ctx"] // slots),
        parallel=slots,
        type_k=kind,
        type_v=kind,
        flash="off" if runtime.get("flash_attention") is False else "auto",
        batch=min(runtime.get("ubatch", 512), 512),
        unified=bool(runtime.get("kv_unified")),
        planner=planner_of_record(record["ollama_or_llamacpp_version"]),
    )


def planner_of_record(version: str) -> Planner:
    """`ollama 0.12.x`, `llama.cpp server-cuda (2026)`, `llama.cpp CI (early 2025)`."""
    release = re.search(r"ollama (\d+\.\d+)", version)
    if release:
        return planner_of(f"{release[1]}.0")
    return PLANNERS[1] if "2026" in version else replace(PLANNERS[2], checkpoints=0)


def judge_load(record: dict[str, Any], score: Score) -> str:
    """Scores what a record of a real load allows; else says why nothing."""
    measured, name = record["measured"], record["metadata"]["model"]
    if measured["kind"] == "ollama-estimate":
        return "an older estimator's figures, no measurement"
    known = published(name)
    if known is None:
        return f"{name}: which model this is, is not known"
    before = sum(len(found) for found in score.differences.values())
    if "n_ctx" in record["runtime"]:
        caches(record, known, score)
    if known.description:
        weights(record, known.description, known.vision_bytes, score)
    return "" if sum(len(found) for found in score.differences.values()) > before else "no buffer to compare"


def caches(record: dict[str, Any], known: Published, score: Score) -> None:
    """Key-value cache and recurrent state over all devices, on the GPU or not."""
    measured, settings, facts = record["measured"], load_settings(record), known.facts
    found = total(measured, "kv_gpu_mib", "kv_cpu_mib", "kv_host_mib", "kv_mib")
    kv = sum(kv_of_layer(facts, settings, layer) for layer in range(facts.layers))
    if "recurrent state is included" in record["metadata"].get("note", ""):
        kv += sum(state_of_layer(facts, settings, layer) for layer in range(facts.layers))
    if found is not None and not facts.arch.encoder:  # newer builds make no cache for encoders
        score.size("KV of real loads", kv, int(found * MIB), record["id"])
    if (state := total(measured, "recurrent_gpu_mib")) is not None:
        ours = sum(state_of_layer(facts, settings, layer) for layer in range(facts.layers))
        score.size("state of real loads", ours, int(state * MIB), record["id"])


def weights(record: dict[str, Any], described: Description, vision: int, score: Score) -> None:
    """Weights on the GPUs; and with everything there, compute and the sum."""
    measured, name = record["measured"], record["id"]
    on_gpu, layers = total(measured, "weights_gpu_mib"), described.facts.layers
    if on_gpu is None:
        return
    if "layers_offloaded" not in measured:  # how many layers is not told: all the weights
        ours = described.tensors.file_bytes
        score.size("weights of real loads", ours, int((on_gpu + measured["weights_cpu_mib"]) * MIB), name)
        return
    settings = (
        load_settings(record)
        if "n_ctx" in record["runtime"]
        else Settings(num_ctx=4096, planner=planner_of_record(record["ollama_or_llamacpp_version"]))
    )
    place = Placement(by_share(layers, measured["layers_offloaded"], (1,), settings.planner.output_first))
    (device,), _ = Sizer(described.facts, described.tensors, settings, 1).use(place)
    score.size("weights of real loads", device.weights + vision, int(on_gpu * MIB), name)
    computed = total(measured, "compute_gpu_mib")
    if computed is None or not place.is_complete:
        return
    score.size("compute of real loads", device.compute, int(computed * MIB), name)
    cache = 0.0 if described.facts.arch.encoder else total(measured, "kv_gpu_mib") or 0.0
    score.size("total of real loads", device.total, int((on_gpu + cache + computed) * MIB), name)


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
        score, silent = Score(), {}
        for record in loads(given.memory):
            if why := judge_load(record, score):
                silent[record["id"]] = why
        show(score, given.worst)
        for name, why in silent.items():
            print(f"  not compared: {name}: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
