"""Recorded results of llama.cpp's own planner (see `source` in the file), as values for tests."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ongpu.fit.facts import facts_of
from ongpu.fit.placement import Sizer
from ongpu.fit.settings import MIB, Settings
from ongpu.fit.tensors import Tensor, add_up

RECORDINGS = Path(__file__).resolve().parent.parent / "recordings" / "fit"


@cache
def planner() -> dict[str, Any]:
    body: dict[str, Any] = json.loads((RECORDINGS / "planner.json").read_text(encoding="utf-8"))
    return body


def cases(*kinds: str) -> list[dict[str, Any]]:
    return [case for case in planner()["cases"] if case["kind"] in kinds]


def model_info(model: str) -> dict[str, Any]:
    """A recorded model in the form of --model-info: layers by group."""
    recorded = planner()["models"][model]
    tensors: list[dict[str, Any]] = [
        {"name": name, "type": item["type"], "shape": item["ne"]}
        for name, item in recorded["tensors"]["global_tensors"].items()
    ]
    for span in recorded["tensors"]["layer_bytes"]:
        for layer in range(span["from"], span["to"] + 1):
            tensors += [{"name": f"blk.{layer}.{group}", "bytes": size} for group, size in span["bytes"].items()]
    return {"model_info": recorded["metadata"], "tensors": tensors}


def settings(case: dict[str, Any]) -> Settings:
    runtime = case["runtime"]
    return Settings(
        num_ctx=runtime["n_ctx"],
        parallel=runtime["parallel"],
        type_k=runtime["type_k"],
        type_v=runtime["type_v"],
        flash=runtime["flash_attn"],
        batch=min(runtime["batch"], runtime["ubatch"]),
        unified=runtime["kv_unified"],
    )


def free(case: dict[str, Any]) -> tuple[int, ...]:
    return tuple(mib * MIB for mib in case["runtime"]["free_mib"])


def sizer(case: dict[str, Any]) -> Sizer:
    info = model_info(case["model"])
    facts = facts_of(info["model_info"])
    listed = [
        Tensor.shaped(item["name"], item["type"], tuple(item["shape"]))
        if "shape" in item
        else Tensor(item["name"], item["bytes"])
        for item in info["tensors"]
    ]
    return Sizer(facts, add_up(listed, facts), settings(case), len(case["devices"]))
