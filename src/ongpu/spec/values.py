"""Checks of single values. Each raises ValueError with one sentence: what is wrong and what is accepted."""

from __future__ import annotations

import re
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from ongpu.spec.window import Window

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
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
