"""How a runner is started: what a load is, the command line and the environment that follow from it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from . import envconfig, gguf, golog, layout
from .device import Device, child_environment
from .names import Name

_LIMITED = 10 << 30  # bytes of free memory up to which a projector stays on the CPU


@dataclass(frozen=True)
class Options:
    """What a request or a Modelfile asks of a load; None = automatic."""

    num_ctx: int
    num_gpu: int = -1
    num_batch: int | None = None
    num_thread: int | None = None
    main_gpu: int | None = None
    use_mmap: bool | None = None


@dataclass
class Plan:
    """A load: what is asked for, and what the scheduler has decided. Sizes in bytes."""

    name: Name
    path: Path
    model: gguf.Model
    options: Options
    parallel: int = 1
    batch: int = 512
    devices: list[Device] = field(default_factory=list)
    single: bool = False
    digest: str = ""
    projector: Path | None = None
    projector_size: int = 0

    @property
    def embedding(self) -> bool:
        return self.model.get("pooling_type") is not None


def command(plan: Plan, port: int) -> list[str]:
    """The command line in the order of `startLlamaServer`."""
    options = plan.options
    words = [str(layout.llama_server()), "--model", str(plan.path), "--port", str(port), "--host", "127.0.0.1"]
    words += ["--no-webui", "--offline", "-c", str(options.num_ctx * plan.parallel), "-np", str(plan.parallel)]
    words += ["--log-verbosity", "4", "--no-log-prefix", "--no-log-timestamps"]
    words += _projector(plan)
    if not plan.devices or options.use_mmap is False:
        words += ["--load-mode", "none"]
    if kind := envconfig.var("OLLAMA_KV_CACHE_TYPE").lower():
        words += ["--cache-type-k", kind, "--cache-type-v", kind]
    words += ["--flash-attn", flash_attention(plan.devices), "-b", str(plan.batch), "-ub", str(plan.batch)]
    if plan.embedding:
        words.append("--embedding")
    if options.num_gpu >= 0:
        words += ["-ngl", str(options.num_gpu)]
    if options.num_thread:
        words += ["-t", str(options.num_thread)]
    if plan.single:
        words += ["--split-mode", "none", "--main-gpu", "0"]
    return words if plan.embedding else [*words, "--context-shift", "--keep", "4"]


def _projector(plan: Plan) -> list[str]:
    if plan.projector is None:
        return []
    words = ["--mmproj", str(plan.projector)]
    if reason := projector_stays(plan):
        golog.info(
            "llama_server.go:614",
            "disabling multimodal projector offload",
            reason=reason,
            model=plan.path,
            projector=plan.projector,
        )
        words.append("--no-mmproj-offload")
    return words


def projector_stays(plan: Plan) -> str:
    """Why the projector of this load stays on the CPU; empty if it does not."""
    asked = plan.options.num_gpu
    if asked == 0:
        return "cpu-only"
    if 0 < asked < int(plan.model.get("block_count", 0)) + 1:
        return "partial-text-offload"
    for device in plan.devices:
        if device.integrated:
            return "shared-memory-gpu"
        if 0 < min(device.free or device.total, device.total) <= _LIMITED:
            return "limited-vram"
    return ""


def flash_attention(devices: list[Device]) -> str:
    """The user's word, else `auto` unless a GPU is too old for it (ml/device.go)."""
    if envconfig.var("OLLAMA_FLASH_ATTENTION"):
        return "on" if envconfig.boolean("OLLAMA_FLASH_ATTENTION") else "off"
    old = [d for d in devices if d.library == "CUDA" and (d.compute < (6, 0) or d.compute == (7, 2))]
    return "off" if old else "auto"


def environment(plan: Plan) -> dict[str, str]:
    directory = plan.devices[0].directory if plan.devices else None
    extra = {"LLAMA_MEDIA_MARKER": f"<__ollama_media_{os.urandom(16).hex()}__>"}
    if plan.projector and "LLAMA_ARG_FIT_TARGET" not in os.environ:
        extra["LLAMA_ARG_FIT_TARGET"] = str((plan.projector_size >> 20) + 1024)
    libraries = {device.library for device in plan.devices}
    if libraries == {"CUDA"}:
        extra["CUDA_VISIBLE_DEVICES"] = ",".join(device.filter_id for device in plan.devices)
    elif libraries == {"Vulkan"}:
        extra["GGML_VK_VISIBLE_DEVICES"] = ",".join(device.filter_id for device in plan.devices)
    return child_environment(directory, extra)
