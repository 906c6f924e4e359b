"""The lines that llama-server prints while it loads a model (llama.cpp 4df29be4f, --log-verbosity 4, no prefix)."""

from __future__ import annotations

import os
import sys
from typing import Any

from .fit import MIB, Card
from .gguf import TENSOR_TYPES, Model
from .probes import BUILD
from .sizing import Placement, Settings, Sizer, Use


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def preamble(cards: list[Card], system_info: str, memory: int) -> None:
    for line in (
        f"common_params_print_info: {BUILD}",
        "common_params_print_info: verbosity = 4 (adjust with the `-lv N` CLI arg)",
        "device_info:",
        f"  - {'CPU':<8}: {_cpu_name()} ({memory // MIB} MiB, {memory // MIB} MiB free)",
        *(
            f"  - {card.name:<8}: {card.description} ({card.total // MIB} MiB, {card.free // MIB} MiB free)"
            for card in cards
        ),
        system_info,
    ):
        say(f"cmn  common_param: {line}")


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return "CPU"


def server_start(path: str) -> None:
    rule = "-----------------"
    say(f"srv          init: using {(os.cpu_count() or 1) + 3} threads for HTTP server")
    for text in ("The UI is disabled", "Use --ui/--no-ui (or deprecated --webui/--no-webui) to enable/disable"):
        say(f"srv          init: {text}")
    for text in (
        rule,
        "CORS is set to allow all origins ('*') and no API key is set",
        "this can be a security risk (cross-origin attacks)",
        "more info: https://github.com/ggml-org/llama.cpp/pull/25655",
        rule,
    ):
        say(f"srv  llama_server: {text}")
    say("srv         start: binding port with default address family")
    say(f"srv    load_model: loading model '{path}'")
    say(f"srv    load_model: local path '{path}'")


def fitting() -> None:
    say("cmn  common_init_: fitting params to device memory ...")
    say(
        "cmn  common_init_: (for bugs during this step try to reproduce them with -fit off, or provide --verbose logs "
        "if the bug only occurs with -fit on)"
    )


def metadata(model: Model) -> None:
    keys = {key: value for key, value in model.keys.items() if not key.startswith("ongpu_lab.")}
    say(
        f"llama_model_loader: loaded meta data with {len(keys)} key-value pairs and {len(model.tensors)} tensors "
        f"from {model.path} (version GGUF V3 (latest))"
    )
    say("llama_model_loader: Dumping metadata keys/values. Note: KV overrides do not apply in this output.")
    for number, (key, value) in enumerate(keys.items()):
        say(f"llama_model_loader: - kv {number:3d}: {key:>42} {model.types[key]:<16} = {_shown(value)}")
    counts: dict[int, int] = {}
    for tensor in model.tensors:
        counts[tensor.kind] = counts.get(tensor.kind, 0) + 1
    for kind, count in sorted(counts.items()):
        say(f"llama_model_loader: - type {TENSOR_TYPES[kind][0].lower():>4}: {count:4d} tensors")
    total = sum(tensor.bytes for tensor in model.tensors)
    size = f"{total / MIB:.2f} MiB" if total < 1 << 30 else f"{total / (1 << 30):.2f} GiB"
    say("print_info: file format = GGUF V3 (latest)")
    say(f"print_info: file type   = {model.quantization.replace('_M', ' - Medium')}")
    say(f"print_info: file size   = {size} ({total * 8 / max(1, model.parameters):.2f} BPW) ")


def _shown(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:f}"
        case list():
            inside = ", ".join(f'"{item}"' if isinstance(item, str) else _shown(item) for item in value[:12])
            return f"[{inside}]"[:40] + ("..." if len(value) > 3 else "")
        case _:
            return str(value).replace("\n", "\\n")[:40]


def print_info(model: Model, sizer: Sizer) -> None:
    facts: dict[str, Any] = {
        "arch": model.arch,
        "vocab_only": 0,
        "no_alloc": 0,
        "n_ctx_train": model.get("context_length", 0),
        "n_embd": sizer.n,
        "n_layer": sizer.layers,
        "n_head": sizer.heads,
        "n_head_kv": sizer.heads_kv,
        "n_swa": sizer.window,
        "n_embd_head_k": sizer.dk,
        "n_embd_head_v": sizer.dv,
        "n_gqa": sizer.heads // max(1, sizer.heads_kv),
        "n_embd_k_gqa": sizer.heads_kv * sizer.dk,
        "n_embd_v_gqa": sizer.heads_kv * sizer.dv,
        "n_ff": sizer.ff,
        "n_expert": model.get("expert_count", 0),
        "n_expert_used": sizer.experts_used,
        "model params": _params(model.parameters),
        "general.name": model.keys.get("general.name", "n/a"),
        "n_vocab": sizer.vocabulary,
    }
    for key, value in facts.items():
        say(f"print_info: {key:<21} = {value}")


def _params(count: int) -> str:
    return f"{count / 1e9:.2f} B" if count >= 1e9 else f"{count / 1e6:.2f} M"


def using_devices(cards: list[Card]) -> None:
    for card in cards:
        where = card.pci_id or "unknown id"
        say(f"llama_prepare_model_devices: using device {card} ({where}) - {card.free // MIB} MiB free")


def tensors(use: Use, cards: list[Card], placement: Placement, settings: Settings, offloaded: int | None) -> None:
    """`offloaded` is the number of layers that llama.cpp counts as offloaded; None if it has no GPU backend at all."""
    mode = "mmap" if settings.mmap else "none"
    say(f"load_tensors: loading model tensors, this can take a while... (load_mode = {mode})")
    if offloaded is not None:
        if offloaded:
            say("load_tensors: offloading output layer to GPU")
        # llama.cpp counts one repeating layer too few here when all are offloaded; recorded so.
        repeating = min(offloaded - 1, len(placement.layers) - 2) if offloaded else 0
        say(f"load_tensors: offloading {repeating} repeating layers to GPU")
        say(f"load_tensors: offloaded {offloaded}/{len(placement.layers)} layers to GPU")
    if use.host.model:
        _buffer("load_tensors", "CPU_Mapped" if settings.mmap else "CPU", "model", use.host.model, 12)
    for number, card in enumerate(cards):
        if use.devices[number].model:
            _buffer("load_tensors", card.name, "model", use.devices[number].model, 12)


def _buffer(function: str, device: str, kind: str, size: int, width: int = 10) -> None:
    say(f"{function}: {device:>{width}} {kind} buffer size = {size / MIB:8.2f} MiB")


def context(model: Model, settings: Settings, sizer: Sizer) -> None:
    per_slot = settings.context // settings.parallel
    say("llama_context: constructing llama_context")
    facts: dict[str, Any] = {
        "n_seq_max": settings.parallel,
        "n_ctx": settings.context,
        "n_ctx_seq": per_slot,
        "n_batch": settings.batch,
        "n_ubatch": settings.ubatch,
        "causal_attn": int(not sizer.encoder),
        "flash_attn": {"on": "enabled", "off": "disabled"}.get(settings.flash, settings.flash),
        "kv_unified": "false",
        "freq_base": model.get("rope.freq_base", 10000.0),
        "freq_scale": 1,
    }
    for key, value in facts.items():
        say(f"llama_context: {key:<21} = {value}")
    trained = int(model.get("context_length", 0))
    if trained > per_slot:
        say(
            f"llama_context: n_ctx_seq ({per_slot}) < n_ctx_train ({trained}) "
            "-- the full capacity of the model will not be utilized"
        )


def context_buffers(use: Use, cards: list[Card], settings: Settings, sizer: Sizer, placement: Placement) -> None:
    host = "CUDA_Host" if cards and cards[0].name.startswith("CUDA") else "Vulkan_Host" if cards else "CPU"
    output_host = host if cards and placement.offloaded else "CPU"
    say(f"llama_context: {output_host:>10}  output buffer size = {use.output / MIB:8.2f} MiB")
    total = use.host.kv + sum(buffers.kv for buffers in use.devices.values())
    if use.host.kv:
        _buffer("llama_kv_cache", "CPU", "KV", use.host.kv)
    for number, card in enumerate(cards):
        if use.devices[number].kv:
            _buffer("llama_kv_cache", card.name, "KV", use.devices[number].kv)
    if total:
        share = sizer.row("k") / (sizer.row("k") + sizer.row("v"))
        say(
            f"llama_kv_cache: size = {total / MIB:7.2f} MiB ({sizer.cells:6d} cells, {sizer.layers:3d} layers, "
            f"{settings.parallel:2d}/{settings.parallel} seqs), K ({settings.type_k}): {total * share / MIB:7.2f} MiB, "
            f"V ({settings.type_v}): {total * (1 - share) / MIB:7.2f} MiB"
        )
    busy = [number for number in use.devices if use.devices[number].compute]
    if len(busy) > 1:
        say("llama_context: pipeline parallelism enabled")
    say("sched_reserve: reserving ...")
    if settings.flash != "off":
        say("resolve_fused_ops: Flash Attention enabled")
    for number in busy:
        _buffer("sched_reserve", cards[number].name, "compute", use.devices[number].compute)
    if use.host.compute:
        _buffer("sched_reserve", host, "compute", use.host.compute)
    say(f"sched_reserve: graph nodes  = {32 * sizer.layers}")
    say(f"sched_reserve: graph splits = {sizer.splits(placement)}")
    say(f"sched_reserve: reserve took 6.67 ms, sched copies = {4 if len(busy) > 1 else 1}")


def warming_up() -> None:
    threads = max(1, (os.cpu_count() or 1) // 2)
    say(f"cmn          init: llama threadpool init, n_threads = {threads}")
    say("cmn  common_init_: warming up the model with an empty run - please wait ... (--no-warmup to disable)")


def loaded(settings: Settings, port: int) -> None:
    per_slot = settings.context // settings.parallel
    say(
        f"srv    load_model: initializing, n_slots = {settings.parallel}, n_ctx_slot = {per_slot}, kv_unified = 'false'"
    )
    for slot in range(settings.parallel):
        say(f"slot   load_model: id {slot:2d} | task -1 | new slot, n_ctx = {per_slot}")
    say("srv    load_model: prompt cache is enabled, size limit: 8192 MiB")
    say("srv  llama_server: model loaded")
    say(f"srv  llama_server: listening on http://127.0.0.1:{port}")
    say("srv  update_slots: all slots are idle")
