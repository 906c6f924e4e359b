"""Takes pasted text apart: which line is a log's, nvidia-smi's, a unit's, a compose file's, or a person's words.

Pure, never raises, linear time. Lines of the same shape are kept a limited number of times, so that a long journal
costs little; the first ones show where trouble began, the last ones how things are now.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate
from textwrap import dedent
from typing import TypeVar

from ongpu.rules.evidence import Evidence, Kind, Line
from ongpu.rules.peel import kernel_sentence, tidy

T = TypeVar("T")
FIRST, LAST = 40, 40  # of one shape
MOST, MOST_CHARACTERS = 4_000, 500_000  # lines in all
_LONGEST = 4000
_MOST_JOINED = 20
_LONGEST_BLOCK = 2**20

_SHAPE = re.compile(r"[0-9]+")
_DIGITS = str.maketrans("123456789", "0" * 9)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


# Words that only one kind of evidence has, tried in this order.
_SIGNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("kernel", _any(
        r"NVRM", r"\bXid \(", r"nouveau (?:0000|[\w:.]+:)", r"nvidia-nvlink:", r"nvidia-uvm: ", r"AER: ",
        r"avc: +denied",
        r"BAR \d+.*assign", r"module verification failed", r"nvidia-nvswitch\d*: ",
    )),
    ("log", _any(
        r"\blevel=[A-Z]+", r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", r"\[GIN\]", r"\bggml_", r"\bllama_", r"\bllm_load",
        r"\bload_(?:tensors|backend)", r"cuInit", r"cuda\w+ err", r"nvmlInit", r"dlsym", r"CUDA error",
            r"cuda driver library",
        r"inference compute", r"NvRmMem", r"common_(?:params|init)", r"print_info", r"sched_reserve",
        r"\bDevice \d+: .*compute capability", r"llama runner",
    )),
    ("ps", _any(r"\d{1,3}% (?:CPU|GPU)", r"\d{1,2}%/\d{1,2}% CPU/GPU", r"\bPROCESSOR\b")),
    ("container", _any(
        r"\b(?:docker|podman|nerdctl)\b", r"kubectl", r"nvidia-container", r"OCI runtime", r"^\s*image:", r"no-cgroups",
        r"\[\[gpu\]\]", r"nvidia-ctk", r"^\s*(?:runtime: nvidia|devices:|deploy:|capabilities:|privileged:)",
    )),
    ("smi", _any(
        r"NVIDIA-SMI", r"nvidia-smi", r"^\s*\|.*\|\s*$", r"^\s*\+[-=+]+\+?\s*$", r"initialize NVML",
        r"NVML library version",
        r"^\s*GPU \d+: ", r"^\s*MIG .* Device", r"No devices were found", r"device handle for GPU",
        r"^ *(?:Driver|CUDA|KMD) Version +:",
        r"^\s+[A-Z][\w ./()-]{2,60} +: ", r"^[A-Z][\w ./()-]{2,60} {2}: ", r"Product Name +:",
        r"^(?:index|uuid|gpu_uuid|name|pid|timestamp|\w+\.[\w.]+)(?: \[[\w%/]{1,8}\])?, [a-z_.]+",
    )),
    ("call", _any(
        r"num_(?:ctx|gpu|batch|predict)", r"^\s*PARAMETER ", r"^\s*FROM \S", r"\"model\": ?\"",
        r"/api/(?:generate|chat|embed)", r"eval rate",
    )),
    ("env", _any(
        r"^\s*(?:-\s*)?(?:export\s+)?\"?[A-Z][A-Z0-9_]{2,60}=", r"\bEnvironment(?:File)?=",
        r"^\s*[A-Z]+_[A-Z0-9_]{2,60}: ",
        r"^\[Service\]", r"^(?:PrivateDevices|DevicePolicy|DeviceAllow|ProtectKernel\w+|MemoryDenyWriteExecute)=",
    )),
    ("system", _any(
        r"modprobe", r"\bdkms\b", r"\blsmod\b", r"^\s*nvidia(?:_\w+)? +\d+ +\d+", r"mokutil", r"SecureBoot",
        r"NVIDIA Corporation", r"lspci", r"^\s*(?:Flags|flags|Model name)\s*:", r"/proc/driver/nvidia",
        r"Kernel Module",
        r"nv_tegra_release", r"\bREVISION:", r"/lib/modules", r"^\s*blacklist ", r"/etc/fstab", r"noexec", r"insmod",
        r"^[crwx-]{10}.*nvidia", r"/dev/nvidia", r"getenforce", r"Enforcing", r"uname -", r"systemctl", r"Active: ",
        r"rmmod", r"CUDA Capability", r"^\s*nvidia[\w-]*/\d[\w.]*[,:] ", r"Kernel (?:driver in use|modules):",
    )),
    ("package", _any(
        r"\b(?:pacman|dpkg|apt(?:-get)?|snap|rpm)\b", r"lib/ollama", r"lib(?:ggml|cu\w+|nvidia)[\w.-]*\.so", r"=> ",
        r"install\.sh", r"^>>> ", r"^WARNING: ", r"^[hi]i +\S", r"^(?:local/|extra/)?ollama\S* \d",
        r"^content\[",
    )),
)  # fmt: skip
# The name under which evidence is given -> the kind of its lines where no sign says better.
_NAMED: Mapping[str, Kind] = {
    "ollama_log": "log", "journal": "log", "log": "log", "server_log": "log", "dmesg": "kernel", "kernel_log": "kernel",
    "nvidia_smi": "smi", "nvidia_smi_q": "smi", "nvidia_smi_error": "smi", "ollama_ps": "ps", "env": "env",
    "systemd_env": "env", "environment": "env", "container_run": "container", "compose": "container",
    "docker_run": "container", "lspci": "system", "lsmod": "system", "description": "prose", "modelfile": "call",
}  # fmt: skip
_FIXED: frozenset[Kind] = frozenset({"prose"})


def evidence_of(texts: Mapping[str, str]) -> Evidence:
    """Evidence from `{KIND: TEXT}`, where KIND names what the text is, or is any other word for an untyped paste."""
    lines: list[Line] = []
    left_out = 0
    for name, text in texts.items():
        kept, more = bounded(list(_unwrapped(_dedented(text).split("\n"))), str)
        left_out += more
        lines.extend(_sentences(_known(kept, name)))
    looked = tuple(f"{name.replace('_', ' ')} ({_count(text)})" for name, text in texts.items() if text.strip())
    if left_out:
        looked += (f"{left_out} repeated or surplus lines left out",)
    return Evidence(lines=tuple(lines), looked_at=looked)


def lines_of(text: str, name: str = "paste") -> Iterator[Line]:
    """Every line with its kind. `name` is the evidence's kind if it is a known one, and the lines' source."""
    return _known(_unwrapped(text.split("\n")), name)


def _known(raws: Iterable[str], name: str) -> Iterator[Line]:
    fallback = _NAMED.get(name, "text")
    for raw in raws:
        line = tidy(raw)
        if line.strip():
            yield Line(line, fallback if fallback in _FIXED else kind_of(line, fallback), name)


def _sentences(lines: Iterable[Line]) -> Iterator[Line]:
    """What the driver says on several lines, on one."""
    held: Line | None = None
    for line in lines:
        if held and line.kind == held.kind == "kernel" and (whole := kernel_sentence(held.text, line.text)):
            held = replace(held, text=whole)
            continue
        if held:
            yield held
        held = line
    if held:
        yield held


def _dedented(text: str) -> str:
    """A block that was pasted with an indentation, without it."""
    return dedent(text) if text.startswith((" ", "\t")) and len(text) < _LONGEST_BLOCK else text


def kind_of(line: str, fallback: Kind) -> Kind:
    """By the first sign that is found; no sign tells one digit from another, so lines that differ in digits are one."""
    return _sign_of(line.translate(_DIGITS)) or fallback


@lru_cache(20_000)
def _sign_of(line: str) -> Kind | None:
    return next((kind for kind, sign in _SIGNS if sign.search(line)), None)


def _unwrapped(lines: list[str]) -> Iterator[str]:
    """A logger's record that a terminal or a mailer broke into lines, as one line again: its quotes are not closed, or
    the next line goes on with `key=value`."""
    held = last = ""
    joined = 0
    edge = _edge(lines)
    for line in lines:
        if held and (joined >= _MOST_JOINED or _begins(line) or not (held.count('"') % 2 or _CONTINUES.match(line))):
            yield held
            held, joined = "", 0
        glue = "" if len(last) == edge else " "
        held, joined = (f"{held}{glue}{line.strip() if glue else line}", joined + 1) if held else (line, 0)
        last = line
        if not ("msg=" in held and len(held) < _LONGEST and (held.count('"') % 2 or len(line) >= _WIDE)):
            yield held
            held, joined = "", 0
    if held:
        yield held


def _edge(lines: list[str]) -> int:
    """The column at which a terminal broke lines in the middle of words: several lines end there, none goes beyond."""
    lengths = Counter(len(line) for line in lines if len(line) >= _WIDE and not line.startswith(("|", "+")))
    longest = max(lengths, default=0)
    return longest if lengths[longest] > 1 else -1


_WIDE = 60  # columns; a shorter line was not wrapped
# layers.offload=0 layers.split=""      (the rest of a record, whose keys are in lower case)
_CONTINUES = re.compile(r"^\s{0,20}\"?[a-z_]{1,30}(?:[. ][a-z_]{1,30}){0,4}\"?=")
_BEGIN = re.compile(r"time=|level=|^\s*$|^\[|^\d{4}/|^[$#>]|\b(?:ggml|llama|load)_\w+: ")


def _begins(line: str) -> bool:
    return bool(_BEGIN.search(line[:200]))


def bounded(every: Sequence[T], text: Callable[[T], str]) -> tuple[tuple[T, ...], int]:
    """At most FIRST + LAST lines of one shape, at most MOST (and MOST_CHARACTERS) in all, in their order; and how many
    were left out. The first and the last ones stay."""
    if len(every) <= FIRST + LAST:
        return tuple(every), 0
    places: dict[str, list[int]] = {}
    for at, line in enumerate(every):
        places.setdefault(_SHAPE.sub("0", text(line)[:160]), []).append(at)
    keep = sorted(at for found in places.values() for at in _ends(found, FIRST, LAST))
    keep = _ends(keep, MOST // 2, MOST // 2)
    sizes = [min(len(text(every[at])), _LONGEST) for at in keep]
    if sum(sizes) > MOST_CHARACTERS:
        keep = _ends(keep, _fitting(sizes), _fitting(sizes[::-1]))
    return tuple(every[at] for at in keep), len(every) - len(keep)


def _fitting(sizes: Sequence[int]) -> int:
    """How many of these, from the first on, fit into half of MOST_CHARACTERS."""
    return max(sum(total <= MOST_CHARACTERS // 2 for total in accumulate(sizes)), 1)


def _ends(places: list[int], first: int, last: int) -> list[int]:
    return places if len(places) <= first + last else places[:first] + places[-last:]


def _count(text: str) -> str:
    count = text.count("\n") + (not text.endswith("\n"))
    return f"{count} line{'' if count == 1 else 's'}"
