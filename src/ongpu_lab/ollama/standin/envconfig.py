"""The environment of `ollama serve`, read by the rules of the real program (envconfig/config.go, 0.33.0-rc2)."""

from __future__ import annotations

import os
from collections.abc import Callable

from . import gojson, golog

_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}
_FOREVER = (2**63 - 1) / 1e9  # the longest Go duration, in seconds

ORIGIN_HOSTS = ("localhost", "127.0.0.1", "0.0.0.0")
ORIGIN_APPS = ("app://*", "file://*", "tauri://*", "vscode-webview://*", "vscode-file://*")


def var(key: str) -> str:
    """The trimmed value of a variable, without quotes around it; empty if it is not set."""
    return os.environ.get(key, "").strip().strip("\"'")


def boolean(key: str, default: bool = False) -> bool:
    """A Go boolean. Any other text that is not empty counts as true."""
    value = var(key)
    if not value:
        return default
    return value not in _FALSE


def tristate(key: str) -> bool | None:
    return boolean(key) if var(key) else None


def unsigned(key: str, default: int) -> int:
    """A number; anything else is the default, with a warning at every look."""
    value = var(key)
    if not value:
        return default
    if value.isascii() and value.isdigit() and int(value) < 2**64:
        return int(value)
    line = "292" if key == "OLLAMA_GPU_OVERHEAD" else "263"
    golog.warn(
        f"config.go:{line}", "invalid environment variable, using default", key=key, value=value, default=default
    )
    return default


def _seconds(key: str, default: float) -> float | None:
    value = var(key)
    if not value:
        return default
    try:
        return gojson.parse_duration(value)
    except ValueError:
        pass
    try:
        return float(int(value))
    except ValueError:
        return None


def keep_alive() -> float:
    """Seconds that a model stays after its last request; negative means forever."""
    seconds = _seconds("OLLAMA_KEEP_ALIVE", 300.0)
    if seconds is None:
        return 300.0
    return _FOREVER if seconds < 0 else seconds


def load_timeout() -> float:
    """Seconds without a line of the runner after which a load is given up."""
    seconds = _seconds("OLLAMA_LOAD_TIMEOUT", 300.0)
    if seconds is None:
        return 300.0
    return _FOREVER if seconds <= 0 else seconds


def log_level() -> int:
    value = var("OLLAMA_DEBUG")
    if not value:
        return golog.INFO
    if value in _TRUE:
        return golog.DEBUG
    if value in _FALSE:
        return golog.INFO
    try:
        return int(value) * -4
    except ValueError:
        return golog.INFO


def host() -> tuple[str, str, int]:
    """Scheme, name and port of OLLAMA_HOST."""
    value = var("OLLAMA_HOST")
    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "http", value
    default = {"http": 80, "https": 443}.get(scheme, 11434) if separator else 11434
    rest = rest.partition("/")[0]
    name, colon, port_text = rest.rpartition(":")
    if not colon or rest.endswith("]"):
        name, port_text = rest, ""
    name = name.strip("[]") or "127.0.0.1"
    if not colon or rest.endswith("]"):
        return scheme, name, default
    if port_text.isascii() and port_text.isdigit() and int(port_text) <= 65535:
        return scheme, name, int(port_text)
    golog.warn("config.go:51", "invalid port, using default", port=port_text, default=default)
    return scheme, name, default


def host_url() -> str:
    scheme, name, port = host()
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}"


def models_dir() -> str:
    return var("OLLAMA_MODELS") or os.path.join(os.environ["HOME"], ".ollama", "models")


def origins() -> list[str]:
    allowed = [item for item in var("OLLAMA_ORIGINS").split(",") if item]
    for name in ORIGIN_HOSTS:
        allowed += [f"http://{name}", f"https://{name}", f"http://{name}:*", f"https://{name}:*"]
    return [*allowed, *ORIGIN_APPS]


def no_cloud() -> bool:
    return boolean("OLLAMA_NO_CLOUD")


_PLAIN = (
    "CUDA_VISIBLE_DEVICES",
    "GGML_VK_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "HIP_VISIBLE_DEVICES",
    "HSA_OVERRIDE_GFX_VERSION",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LLAMA_ARG_FIT",
    "LLAMA_ARG_FIT_TARGET",
    "NO_PROXY",
    "OLLAMA_EDITOR",
    "OLLAMA_LLM_LIBRARY",
    "ROCR_VISIBLE_DEVICES",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)

_READ: dict[str, Callable[[], object]] = {
    "OLLAMA_CONTEXT_LENGTH": lambda: unsigned("OLLAMA_CONTEXT_LENGTH", 0),
    "OLLAMA_DEBUG": lambda: golog.level_name(log_level()),
    "OLLAMA_DEBUG_LOG_REQUESTS": lambda: boolean("OLLAMA_DEBUG_LOG_REQUESTS"),
    "OLLAMA_FLASH_ATTENTION": lambda: boolean("OLLAMA_FLASH_ATTENTION"),
    "OLLAMA_GO_TEMPLATE": lambda: boolean("OLLAMA_GO_TEMPLATE", True),
    "OLLAMA_GPU_OVERHEAD": lambda: unsigned("OLLAMA_GPU_OVERHEAD", 0),
    "OLLAMA_HOST": host_url,
    "OLLAMA_IGPU_ENABLE": lambda: var("OLLAMA_IGPU_ENABLE"),
    "OLLAMA_KEEP_ALIVE": lambda: gojson.duration(keep_alive()),
    "OLLAMA_KV_CACHE_TYPE": lambda: var("OLLAMA_KV_CACHE_TYPE"),
    "OLLAMA_LOAD_TIMEOUT": lambda: gojson.duration(load_timeout()),
    "OLLAMA_MAX_LOADED_MODELS": lambda: unsigned("OLLAMA_MAX_LOADED_MODELS", 0),
    "OLLAMA_MAX_QUEUE": lambda: unsigned("OLLAMA_MAX_QUEUE", 512),
    "OLLAMA_MAX_TRANSFER_STREAMS": lambda: unsigned("OLLAMA_MAX_TRANSFER_STREAMS", 4),
    "OLLAMA_MODELS": models_dir,
    "OLLAMA_NOHISTORY": lambda: boolean("OLLAMA_NOHISTORY"),
    "OLLAMA_NOPRUNE": lambda: boolean("OLLAMA_NOPRUNE"),
    "OLLAMA_NO_CLOUD": no_cloud,
    "OLLAMA_NUM_PARALLEL": lambda: unsigned("OLLAMA_NUM_PARALLEL", 1),
    "OLLAMA_ORIGINS": origins,
    "OLLAMA_REMOTES": lambda: [var("OLLAMA_REMOTES") or "ollama.com"],
    "OLLAMA_SCHED_SPREAD": lambda: boolean("OLLAMA_SCHED_SPREAD"),
    "OLLAMA_VULKAN": lambda: boolean("OLLAMA_VULKAN", True),
}


def as_map() -> dict[str, object]:
    """What the line `server config` shows: values after parsing."""
    values: dict[str, object] = {key: var(key) for key in _PLAIN}
    values |= {key: read() for key, read in _READ.items()}
    return values
