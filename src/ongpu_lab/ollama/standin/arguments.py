"""The command line and the LLAMA_ARG_* environment of llama-server, as far as Ollama uses or passes them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from .fit import Wish
from .sizing import KV_TYPES, Settings

# option: (key, takes a value)
_OPTIONS = {
    "--model": "model",
    "-m": "model",
    "--port": "port",
    "--host": "host",
    "-c": "context",
    "--ctx-size": "context",
    "-np": "parallel",
    "--parallel": "parallel",
    "-b": "batch",
    "-ub": "ubatch",
    "--flash-attn": "flash",
    "--cache-type-k": "type_k",
    "--cache-type-v": "type_v",
    "-ngl": "ngl",
    "--n-gpu-layers": "ngl",
    "--keep": "keep",
    "--load-mode": "load_mode",
    "--split-mode": "split_mode",
    "--main-gpu": "main_gpu",
    "-t": "threads",
    "--log-verbosity": "verbosity",
    "--chat-template": "template",
    "--mmproj": "mmproj",
    "-fit": "fit",
    "--fit": "fit",
}
_FLAGS = {
    "--no-webui",
    "--offline",
    "--no-log-prefix",
    "--no-log-timestamps",
    "--context-shift",
    "--embedding",
    "--verbose",
    "--list-devices",
    "--version",
    "--no-jinja",
    "--no-mmproj-offload",
}
_COUNT = re.compile(r"[0-9]{1,4}")  # layers; a negative number is "automatic"
_FALSE = {"off", "disabled", "false", "0"}


class BadArgument(Exception):
    """llama-server refuses this option; the text is its own."""


@dataclass(frozen=True)
class Options:
    """What a load needs. `device` is None if nothing chose one, else the value of LLAMA_ARG_DEVICE."""

    values: dict[str, str]
    flags: frozenset[str]
    device: str | None
    wish: Wish
    kv_offload: bool

    def number(self, key: str, default: int) -> int:
        try:
            return int(self.values.get(key, default))
        except ValueError:
            raise BadArgument(f'error while handling argument "{key}": invalid number') from None

    def settings(self, gpu: bool) -> Settings:
        parallel = self.number("parallel", 1)
        batch = self.number("batch", 2048)
        return Settings(
            context=-(-self.number("context", 4096) // 256) * 256,
            parallel=parallel,
            batch=batch,
            ubatch=min(batch, self.number("ubatch", 512)),
            flash=self.values.get("flash", "auto"),
            type_k=self.values.get("type_k", "f16"),
            type_v=self.values.get("type_v", "f16"),
            kv_offload=self.kv_offload,
            mmap=self.values.get("load_mode", "mmap") == "mmap",
            main_device=gpu,
        )


def parse(words: list[str]) -> Options:
    """Raises BadArgument."""
    values: dict[str, str] = {}
    flags: set[str] = set()
    rest = iter(words)
    for word in rest:
        if word in _OPTIONS:
            values[_OPTIONS[word]] = next(rest, "")
        elif word in _FLAGS:
            flags.add(word)
        else:
            raise BadArgument(f"error: invalid argument: {word}")
    for key in ("type_k", "type_v"):
        if values.get(key, "f16") not in KV_TYPES:
            raise BadArgument(
                f'error while handling argument "--cache-type-{key[-1]}": Unsupported cache type: {values[key]}'
            )
    return Options(values, frozenset(flags), os.environ.get("LLAMA_ARG_DEVICE") or None, _wish(values), _kv_offload())


def _env_true(name: str) -> bool:
    value = os.environ.get(name, "").strip().lower()
    return bool(value) and value not in _FALSE


def _kv_offload() -> bool:
    """LLAMA_ARG_KV_OFFLOAD=0, or LLAMA_ARG_NO_KV_OFFLOAD with any value."""
    if "LLAMA_ARG_NO_KV_OFFLOAD" in os.environ:
        return False
    return os.environ.get("LLAMA_ARG_KV_OFFLOAD", "1").strip().lower() not in _FALSE


def _wish(values: dict[str, str]) -> Wish:
    layers = values.get("ngl", os.environ.get("LLAMA_ARG_N_GPU_LAYERS", ""))
    targets = re.findall(r"\d+", os.environ.get("LLAMA_ARG_FIT_TARGET", ""))
    fit = values.get("fit", os.environ.get("LLAMA_ARG_FIT", "on")).strip().lower()
    return Wish(
        layers=int(layers) if _COUNT.fullmatch(layers) else None,
        host=_overrides(),
        targets=tuple(map(int, targets)) or (1024,),
        enabled=fit not in _FALSE,
    )


def _overrides() -> re.Pattern[str] | None:
    """Tensors that the environment keeps on the host: CPU_MOE, N_CPU_MOE, OVERRIDE_TENSOR."""
    patterns = []
    if _env_true("LLAMA_ARG_CPU_MOE"):
        patterns.append(r"\.ffn_(up|down|gate)_(ch|)exps")
    count = os.environ.get("LLAMA_ARG_N_CPU_MOE", "")
    if _COUNT.fullmatch(count) and int(count):
        numbers = "|".join(map(str, range(int(count))))
        patterns.append(rf"blk\.({numbers})\.ffn_(up|down|gate)_(ch|)exps")
    for rule in os.environ.get("LLAMA_ARG_OVERRIDE_TENSOR", "").split(","):
        pattern, equals, target = rule.rpartition("=")
        if equals and target.strip() == "CPU":
            patterns.append(pattern.replace("\\\\", "\\"))
    try:
        return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None
    except re.error as error:
        raise BadArgument(f'error while handling environment variable "LLAMA_ARG_OVERRIDE_TENSOR": {error}') from None
