"""The service's environment as the inventory writes it: each value is what Ollama will read, or an error.

`environment` raises ValueError with one sentence: what is wrong and what is accepted. What depends on the release is
checked in `ongpu.spec.ollama_variables`.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from ongpu.spec import ollama_variables

_BOOLEANS = {"true": "1", "false": "0", "1": "1", "0": "0", "t": "1", "f": "0"}

# Ollama's own boolean variables (envconfig/config.go): any word but Go's booleans silently means true there.
BOOLEANS = frozenset(
    [
        "OLLAMA_FLASH_ATTENTION",
        "OLLAMA_SCHED_SPREAD",
        "OLLAMA_VULKAN",
        "OLLAMA_IGPU_ENABLE",
        "OLLAMA_NOPRUNE",
        "OLLAMA_NO_CLOUD",
        "OLLAMA_DEBUG_LOG_REQUESTS",
        "OLLAMA_GO_TEMPLATE",
    ]
)
# Whole numbers and durations: anything else is silently replaced by the default there.
WHOLE_NUMBERS = frozenset(
    [
        "OLLAMA_CONTEXT_LENGTH",
        "OLLAMA_NUM_PARALLEL",
        "OLLAMA_MAX_LOADED_MODELS",
        "OLLAMA_MAX_QUEUE",
        "OLLAMA_GPU_OVERHEAD",
        "OLLAMA_MAX_TRANSFER_STREAMS",
    ]
)
DURATIONS = frozenset(["OLLAMA_KEEP_ALIVE", "OLLAMA_LOAD_TIMEOUT"])
_OTHERS = (
    "OLLAMA_DEBUG OLLAMA_KV_CACHE_TYPE OLLAMA_LLM_LIBRARY OLLAMA_ORIGINS OLLAMA_REMOTES OLLAMA_LLAMA_CPP_COMPAT "
    "OLLAMA_CLOUD_BASE_URL OLLAMA_EXPERIMENT"
)
KNOWN = BOOLEANS | WHOLE_NUMBERS | DURATIONS | frozenset(_OTHERS.split())
# Variable -> what to do instead: ongpu's own to set, or read by no release of Ollama.
REPLACED = {
    "OLLAMA_HOST": "use `ollama.listen`",
    "OLLAMA_MODELS": "use `ollama.models_dir`",
    "CUDA_VISIBLE_DEVICES": "use `ollama.gpus`",
    **ollama_variables.NEVER_READ,
}
# 24h   1h30m   300 (seconds)   -1 (for ever)          Go, time.ParseDuration
_GO_DURATION = re.compile(r"[-+]?(?:\d+|(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+)", re.ASCII)
# What is not of this form is ignored (discover/gpu.go, discover/amd.go), or keeps llama-server from starting.
_FORMS = {
    "JETSON_JETPACK": (re.compile(r"\d+(\.\d+)*", re.ASCII), "a JetPack version such as 6.2"),
    "HSA_OVERRIDE_GFX_VERSION": (re.compile(r"\d+\.\d+\.\d+|gfx[0-9a-f]+", re.ASCII), "a version such as 10.3.0"),
    "LLAMA_ARG_FIT": (re.compile("on|off|enabled|disabled|true|false|1|0"), "on or off"),
}
MAX_VARIABLE = 32_000  # Linux: 128 KiB for one variable, in bytes
# What systemd takes for text: no line break or other control character, and no code point that Unicode sets aside.
NOT_TEXT = re.compile(
    "[\\x00-\\x1f\\x7f\\ud800-\\udfff\\ufdd0-\\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)


def environment(values: dict[str, Any]) -> dict[str, str]:
    """Names and values of the service's environment, as Ollama will read them; booleans as 1 and 0."""
    return {name: _variable(name, value) for name, value in values.items()}


def _variable(name: str, value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"{name!r} is not the name of an environment variable")
    if name in REPLACED:
        raise ValueError(f"{name} does not belong here: {REPLACED[name]}")
    if name.startswith("OLLAMA_") and name not in KNOWN | ollama_variables.GONE.keys():
        near = get_close_matches(name, KNOWN, n=1)
        raise ValueError(f"Ollama knows no {name}" + (f"; did you mean {near[0]}?" if near else ""))
    if isinstance(value, bool):
        value = "1" if value else "0"
    if not isinstance(value, str | int | float):
        raise ValueError(f"{name} must be one value, not {type(value).__name__}")
    text = str(value)
    if found := NOT_TEXT.search(text):
        what = "a line break" if found[0] in "\r\n" else f"the character U+{ord(found[0]):04X}"
        raise ValueError(f"{name} holds {what}, which no systemd drop-in can carry; remove it")
    if len(text) > MAX_VARIABLE:
        raise ValueError(f"{name} is longer than {MAX_VARIABLE} characters")
    return _as_ollama_reads_it(name, text)


def _as_ollama_reads_it(name: str, text: str) -> str:
    """Values that Ollama would silently read as something else are errors (envconfig/config.go)."""
    if name.startswith("OLLAMA_") and text != text.strip().strip("\"'"):
        raise ValueError(f"{name}: Ollama takes spaces and quotes around {text!r} away; write it without")
    if name in BOOLEANS:
        if text.lower() not in _BOOLEANS:
            raise ValueError(f"{name}: {text!r} would mean true to Ollama; write true or false")
        return _BOOLEANS[text.lower()]
    if name in WHOLE_NUMBERS and not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{name}: {text!r} is not a whole number, so Ollama would use its default")
    if name in WHOLE_NUMBERS and (len(text) > 20 or int(text) >= 1 << 64):
        raise ValueError(f"{name}: {text} is more than Ollama can count, so it would use its default")
    if name == "OLLAMA_CONTEXT_LENGTH" and 0 < int(text) < 4:
        raise ValueError(f"{name}: Ollama would make 4 of {text}; write 4 or more")
    if name == "OLLAMA_MAX_QUEUE" and int(text) == 0:
        raise ValueError(f"{name}: with 0 Ollama refuses requests at random (503); write 1 or more")
    if name in DURATIONS and not _GO_DURATION.fullmatch(text):
        raise ValueError(f"{name}: {text!r} is not a duration such as 24h or 300, so Ollama would use its default")
    if name == "OLLAMA_KV_CACHE_TYPE" and text.lower() not in ollama_variables.KV_TYPES:
        known = ", ".join(ollama_variables.KV_TYPES)
        raise ValueError(f"{name}: {text!r} fails every load since Ollama 0.30; use one of {known}")
    if name == "OLLAMA_DEBUG" and not (text.lower() in _BOOLEANS or (text.isascii() and text.isdecimal())):
        raise ValueError(f"{name}: {text!r} would be ignored or hide the lines that name the GPUs; write 0, 1 or 2")
    if name in _FORMS and not _FORMS[name][0].fullmatch(text):
        raise ValueError(f"{name}: {text!r} is not {_FORMS[name][1]}")
    if name == "LLAMA_ARG_FIT_TARGET" and not re.fullmatch(r"\d+(,\d+)*", text, re.ASCII):
        raise ValueError(f"{name}: {text!r} is not MiB to leave free (1024), or one such number for each GPU")
    return text
