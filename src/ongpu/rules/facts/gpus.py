"""GPUs, drivers and versions as logs and nvidia-smi name them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ongpu.host.ollama_log.text import size_bytes
from ongpu.rules.evidence import Evidence, Line, words
from ongpu.rules.pattern import Pattern, regex

_CAPABILITY = words(
    r"compute capability:? (\d{1,2}\.\d)", r"\bcompute=(\d{1,2}\.\d)", r"Compute Capability detected: (\d{1,2}\.\d)",
    r"\bcc=(\d{1,2}\.?\d)", r"CUDA Capability Major/Minor version number: (\d{1,2}\.\d)", r"compute_cap\D{1,20}(\d{1,2}\.\d)",
    r"\bCC (\d{1,2}\.\d)\b",
)  # fmt: skip
# Card names -> compute capability, for evidence that names only the card (developer.nvidia.com/cuda-gpus).
_BY_NAME: tuple[tuple[Pattern, float], ...] = (
    (
        words(
            r"Tesla K(?:80|40|20|10)", r"GTX (?:6[0-9]0|7(?:00|60|70|80))", r"GT 7[0-3]0", r"Quadro K\d", r"NVIDIA GK\d"
        ),
        3.5,
    ),
    (words(r"GTX 750", r"GTX 8\d0M", r"Quadro M1000M", r"NVIDIA GM107", r"Tesla M10\b"), 5.0),
    (words(r"GTX 9\d0", r"Tesla M(?:40|60|4)\b", r"TITAN X\b", r"NVIDIA GM20"), 5.2),
    (
        words(
            r"GTX 10\d0", r"Tesla P(?:4|40|100)\b", r"Quadro P\d", r"GT 1030", r"NVIDIA GP1", r"TITAN Xp", r"\bPascal\b"
        ),
        6.1,
    ),
    (words(r"Tesla V100", r"V100-", r"TITAN V\b", r"NVIDIA GV100"), 7.0),
)
# | NVIDIA-SMI 550.54.15    Driver Version: 550.54.15    CUDA Version: 12.4 |     NVRM version: … Kernel Module  570.86.15
_MODULE = words(
    r"Kernel Module(?: for \w+)? +(\d{3}\.\d{1,3}(?:\.\d{1,3})?)", r"(?:Driver|KMD) Version *: *(\d{3}\.\d{1,3}(?:\.\d{1,3})?)",
    r"this kernel module has the version (\d{3}\.\d{1,3}(?:\.\d{1,3})?)",
    r"/sys/module/nvidia/version\s{1,4}(\d{3}\.\d{1,3}(?:\.\d{1,3})?)$",
)  # fmt: skip
_LIBRARY = words(
    r"NVML library version: (\d{3}\.\d{1,3}(?:\.\d{1,3})?)", r"lib(?:cuda|nvidia-ml)\.so\.(\d{3}\.\d{1,3}(?:\.\d{1,3})?)",
    r"has the version (\d{3}\.\d{1,3}(?:\.\d{1,3})?), but",
    r"^[hi]i +(?:libnvidia-(?:compute|ml)|nvidia-utils|libcuda1)[\w:-]* +(\d{3}\.\d{1,3}(?:\.\d{1,3})?)",
)  # fmt: skip
# |  N/A  33C    P8    28W /   165W |   0MiB /   24576MiB |   0%   Default |
_MEMORY = regex(r"\b(\d{1,7})MiB */ *(\d{2,7})MiB *\|[^|\n]*?(\bDefault|E\. *Process|Exclusive_?Process|Prohibited)")
_ROW = regex(r"^\| +\d{1,2} +(\S[^|\n]*?) +(?:On|Off|N/A) +\|", re.MULTILINE)
LISTED = regex(r"^\s*GPU \d{1,2}: (.{3,80}?) \(UUID", re.MULTILINE)
_NAMED = regex(
    r'inference compute[^\n]{0,300} (?:description|name)="(?!cpu)([^"\n]{3,80})"|updating cuda memory data[^\n]{0,200} name="([^"\n]{3,80})"|\bDevice \d{1,2}: ([^,\n]{3,80}), compute'
)
_TOTAL = regex(r'inference compute[^\n]{0,600}\btotal="([^"]{2,20})" available="([^"]{2,20})"')
_VERSION = words(
    r"\(version (\d{1,2}\.\d{1,3}\.\d{1,3})",
    r"ollama version is (\d{1,2}\.\d{1,3}\.\d{1,3})",
    r"\bOLLAMA_VERSION=(\d{1,2}\.\d{1,3}\.\d{1,3})",
)


@dataclass(frozen=True, slots=True)
class SmiRow:
    """One GPU of nvidia-smi's table: memory in MiB."""

    used_mib: int
    total_mib: int
    compute_mode: str
    line: Line


def capabilities(seen: Evidence) -> list[tuple[float, Line]]:
    """Compute capabilities, as logs say them; where none does, by a card's name."""
    found = []
    for hit in seen.all(_CAPABILITY):
        text = next(group for group in hit.match.groups() if group)
        value = float(text) if "." in text else int(text) / 10
        if 2 <= value <= 15:
            found.append((value, hit.line))
    return found or [(value, line) for pattern, value in _BY_NAME if (line := seen.told(pattern))]


def module_version(seen: Evidence) -> tuple[str, Line] | None:
    """The version of the kernel module that runs."""
    hit = seen.match(_MODULE)
    return (next(group for group in hit.match.groups() if group), hit.line) if hit else None


def library_versions(seen: Evidence) -> dict[str, Line]:
    """Versions of the driver's user-space libraries."""
    found: dict[str, Line] = {}
    for hit in seen.all(_LIBRARY):
        found.setdefault(next(group for group in hit.match.groups() if group), hit.line)
    return found


def smi_rows(seen: Evidence) -> list[SmiRow]:
    return [SmiRow(int(h.match[1]), int(h.match[2]), h.match[3], h.line) for h in seen.all(_MEMORY)]


def names(seen: Evidence) -> list[tuple[str, Line]]:
    """GPU names from nvidia-smi's table, from `nvidia-smi -L`, and from Ollama's log."""
    found = [(hit.match[1].strip(), hit.line) for pattern in (_ROW, LISTED) for hit in seen.all(pattern)]
    return found or [(next(name for name in hit.match.groups() if name), hit.line) for hit in seen.all(_NAMED)]


def found_memory(seen: Evidence) -> list[tuple[int, int, Line]]:
    """(total, available) bytes of each GPU that the server found at its start; its CPU is none."""
    found = []
    for hit in seen.all(_TOTAL):
        total, available = size_bytes(hit.match[1]), size_bytes(hit.match[2])
        if total and available is not None and not re.search(r"id=cpu|library=cpu", hit.line.text):
            found.append((total, available, hit.line))
    return found


def ollama_version(seen: Evidence) -> tuple[int, int, int] | None:
    hit = seen.match(_VERSION)
    if not hit:
        return None
    major, minor, patch = next(group for group in hit.match.groups() if group).split(".")
    return int(major), int(minor), int(patch)
