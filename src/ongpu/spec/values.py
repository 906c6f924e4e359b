"""Checks of single values. Each raises ValueError with one sentence: what is wrong and what is accepted."""

from __future__ import annotations

import re
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from ongpu.spec import ollama_variables
from ongpu.spec.window import Window

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
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
# A Modelfile's parameters (Ollama, api/types.go: Options and Runner).
_PARAMETERS = frozenset(
    (
        *("num_keep", "seed", "num_predict", "top_k", "top_p", "min_p", "typical_p", "repeat_last_n", "temperature"),
        *("repeat_penalty", "presence_penalty", "frequency_penalty", "stop", "num_batch", "use_mmap", "num_thread"),
    )
)
_PARAMETERS_ELSEWHERE = {
    "num_ctx": "use `context`",
    "num_gpu": "how many layers lie on the GPU is Ollama's choice, and all of them is what is proven",
    "main_gpu": "use `ollama.gpus`",
}
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


def duration(value: Any) -> Any:
    """`90`, `90s`, `10m`, `1h30m` -> timedelta; other types are left to pydantic."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    parts = re.findall(r"(\d+)([smhd])", str(value))
    if str(value).isdecimal():
        return timedelta(seconds=int(value))
    if not parts or "".join(n + u for n, u in parts) != value:
        raise ValueError(f"{value!r} is not a duration such as 90s, 10m or 1h30m")
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))


def period(value: Any) -> Any:
    """A duration that a calendar can repeat: a part of an hour in whole minutes, or a part of a day in whole hours."""
    span = duration(value)
    if isinstance(span, timedelta):
        minutes = span.total_seconds() / 60
        if minutes < 1 or not (
            minutes.is_integer() and (60 % minutes == 0 or (minutes % 60 == 0 and 1440 % minutes == 0))
        ):
            raise ValueError(
                f"{value!r} does not divide an hour (1m 5m 10m 15m 20m 30m) or a day (1h 2h 3h 6h 12h 24h)"
            )
    return span


def account(value: str) -> str:
    """A user name, as useradd(8) takes them."""
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", value):
        raise ValueError(f"{value!r} is not a user name")
    return value


def report_formats(value: dict[str, str]) -> dict[str, str]:
    known = ("html", "json", "junit", "nagios", "prometheus", "table")
    for name in value:
        if name not in known:
            raise ValueError(f"{name!r} is not a report format: {', '.join(known)}")
    return value


def requirement(value: str) -> str:
    """A requirement for pip: `ongpu==1.2.0`, or the https URL of a wheel."""
    from packaging.requirements import InvalidRequirement, Requirement

    if re.fullmatch(r"https://\S+\.whl(#sha256=[0-9a-f]{64})?", value):
        return value
    try:
        Requirement(value)
    except InvalidRequirement:
        raise ValueError(f"{value!r} is neither a package such as ongpu==1.2.0 nor the https URL of a wheel") from None
    return value


def window(value: str) -> str:
    Window.parse(value)
    return value


def share(value: Any) -> str:
    """A number of hosts or a percentage, as text."""
    text = str(value).strip()
    if not re.fullmatch(r"\d+|\d+(\.\d+)?%", text) or (text.endswith("%") and float(text[:-1]) > 100):
        raise ValueError(f"{value!r} is neither a number of hosts (3) nor a share (5%)")
    return text


def version(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError(f'{value} is read as a number and may lose digits; put it in quotes: "{value}"')
    if isinstance(value, str) and not re.fullmatch(r"v?\d+(\.\d+)*([-+.][0-9A-Za-z.~+-]+)?", value, re.ASCII):
        raise ValueError(f"{value!r} is not a version such as 0.32.15 or 580")
    return value.removeprefix("v") if isinstance(value, str) else value


def branch(value: Any) -> Any:
    """A driver branch, an exact version, or `auto`."""
    return value if value == "auto" else version(value)


def sha256(value: str) -> str:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        raise ValueError(f"{value!r} is not sha256: followed by 64 hexadecimal digits")
    return value


def url(value: str) -> str:
    """It goes into apt's sources and onto command lines: one word without quotes."""
    if not re.fullmatch(r"https?://[^\s\"'\\<>\[\]]+", value):
        raise ValueError(f"{value!r} is not a URL such as https://mirror.example/ollama/")
    return value


def release_source(value: str) -> str:
    """A URL, or a directory of the controller (`/srv/ollama`, `./ollama`): then the files are copied over SSH."""
    if re.match(r"(/|\./|\.\./|~/)", value):
        return value
    if not value.startswith(("http://", "https://")):
        raise ValueError(f"{value!r} is neither a URL nor a directory of this machine such as ./ollama-releases")
    return url(value)


def fingerprint(value: str) -> str:
    if not re.fullmatch(r"(0x)?([0-9a-fA-F]{40}|[0-9a-fA-F]{64})", "".join(value.split())):
        raise ValueError(f"{value!r} is not the 40 hexadecimal digits of a key's fingerprint")
    return value


def directory(value: str) -> str:
    if not re.fullmatch(r"/[^\x00-\x1f\x7f]*", value):
        raise ValueError(f"{value!r} is not an absolute path on the host")
    return value


def listen(value: str) -> str:
    match = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^\s:/]+):(\d{1,5})", value)
    if not match or not 0 < int(match[2]) < 65536:
        raise ValueError(f"{value!r} is not address:port such as 127.0.0.1:11434 (Ollama would fall back to 11434)")
    return value


def reachable(listen: str, is_meant: bool) -> None:
    """Raises ValueError for an address that takes in the whole network without anybody having said so."""
    host = listen.rpartition(":")[0].strip("[]")
    if not is_meant and (not host.strip("0.:") or host == "*"):
        raise ValueError(
            f"listen: {listen} is every address of the host, and Ollama serves whoever reaches it; name one address, "
            "or say `open: true` beside it where the network keeps strangers out"
        )


def gpu(value: Any) -> str:
    if not re.fullmatch(r"GPU-[0-9a-fA-F-]{36}|([0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]", str(value)):
        raise ValueError(f"{value!r} does not name a GPU for good: use its UUID (GPU-...) or PCI address, not an index")
    return str(value)


def gpus(value: Any) -> Any:
    """`all`, or a list of names. Checked before pydantic's union, which would tell of each of its members."""
    if value == "all":
        return value
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is neither `all` nor a list of GPU UUIDs or PCI addresses")
    if not value:
        raise ValueError("an empty list would hide all GPUs: write `all`, or name some")
    return [gpu(one) for one in value]


def model(value: str) -> str:
    if not re.fullmatch(r"[\w.-]+(:\d+)?(/[\w.-]+)*(:[\w.-]+)?", value, re.ASCII):
        raise ValueError(f"{value!r} is not a model name such as llama3.1:8b")
    return value


def parameters(values: dict[str, Any]) -> dict[str, Any]:
    """Parameters of a derived model, as Ollama's Modelfile names them."""
    for name, value in values.items():
        if name in _PARAMETERS_ELSEWHERE:
            raise ValueError(f"{name} does not belong here: {_PARAMETERS_ELSEWHERE[name]}")
        if name not in _PARAMETERS:
            near = get_close_matches(name, _PARAMETERS, n=1)
            raise ValueError(f"Ollama knows no parameter {name}" + (f"; did you mean {near[0]}?" if near else ""))
        many = isinstance(value, list) and all(isinstance(one, str) for one in value)
        if not (many if name == "stop" else isinstance(value, bool | int | float)):
            raise ValueError(
                f"{name}: {value!r} is not {'a list of texts' if name == 'stop' else 'a number or boolean'}"
            )
    return values


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
