"""Environment variables and request options, wherever they were written down."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ongpu.host.ollama_log.discovery import go_map
from ongpu.rules.evidence import Evidence, Line, words
from ongpu.rules.pattern import Pattern, regex

_NAMES = r"(?:CUDA|NVIDIA|OLLAMA|ROCR|HIP|HSA|GGML|GPU_DEVICE|SLURM|LLAMA_ARG|GGML|JETSON|NVREG|VK)_\w{1,60}|LD_LIBRARY_PATH|TMPDIR"
# Environment="CUDA_VISIBLE_DEVICES=0,1"   export A=b   docker run -e A=b   - A=b   A: "b" (compose)   A=b
_SET = regex(
    rf"(?<![\w$])({_NAMES})(?:=|: {{1,4}})(?:\"([^\"\n]{{0,300}})\"|'([^'\n]{{0,300}})'|([^\s\"']{{0,300}}))",
    re.MULTILINE,
)
# $ echo $ROCR_VISIBLE_DEVICES      $ printenv CUDA_VISIBLE_DEVICES      (the value is the next line)
_SHOWN = regex(rf"(?:\becho \"?\$\{{?|\bprintenv )({_NAMES})\}}?\"?$")
_CONFIG = regex(r"map\[[^\n]{0,4000}")
_SET_OR_MAP = regex(rf"{_SET.pattern}|map\[", re.MULTILINE)
_OWN = re.compile(r"\bextra_envs=\"?$")  # what Ollama sets for a trial of its own
_CONTEXT = words(
    r"\bnum_ctx[\"']?(?: |:|=){1,4}(\d{3,8})", r"--ctx-size[ =](\d{3,8})", r"(?<= )-c (\d{3,8})", r"\bKvSize:(\d{3,8})",
    r"\bn_ctx {0,10}= {0,4}(\d{3,8})", r"OLLAMA_CONTEXT_LENGTH[=:] ?\"?(\d{3,8})",
)  # fmt: skip
_ASKED_CONTEXT = words(r"\bnum_ctx[\"']?(?: |:|=){1,4}(\d{3,8})", r"OLLAMA_CONTEXT_LENGTH[=:] ?\"?(\d{3,8})")
_DEFAULT_CONTEXT = words(r"default_num_ctx=(\d{3,8})")
_PARALLEL = words(
    r"--parallel[ =](\d{1,4})", r"(?<= )-np (\d{1,4})", r"\bn_seq_max {0,10}= {0,4}(\d{1,4})", r"\bParallel:(\d{1,4})"
)
_LAYERS_ASKED = words(
    r"[\"']?num_gpu[\"']?(?: |:|=){1,4}(-?\d{1,4})", r"\.num_?GPU\((-?\d{1,4})\)", r"layers\.requested=(-?\d{1,4})", r"\"model layers\"=\d{1,4} requested=(-?\d{1,4})",
    r"(?<= )-ngl (-?\d{1,4})", r"LLAMA_ARG_N_GPU_LAYERS=(-?\d{1,4})",
)  # fmt: skip
# I was setting the num_gpu (Ollama) parameter in Open WebUI to 2
_LAYERS_TOLD = words(
    r"\bset\w*\b[^\n.]{0,30}\bnum_gpu\b[^\n.]{0,60}\b(?:to|as|=) (\d{1,4})\b",
    r"\bnum_gpu\b[^\n.]{0,60}\b(?:default\w*|is|was|set|stood|at)(?: set)?(?: to| at| as)? (\d{1,4})\b",
)


@dataclass(frozen=True, slots=True)
class Setting:
    value: str
    line: Line
    is_explicit: bool  # not from the server's own list, in which every variable stands, also with its default


def environment(seen: Evidence) -> dict[str, Setting]:
    """Variable -> the last value written down; a value in a unit or command wins over the server's own list."""
    return seen.once(_environment)


def _environment(seen: Evidence) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    asked = ""
    for line in seen.lines_for(_SET_OR_MAP) if seen.whole else seen.lines:
        if line.kind == "prose":
            continue
        text = line.text
        if asked and re.fullmatch(r"[\w,.-]{1,200}", text.strip()):
            found[asked] = Setting(text.strip(), line, is_explicit=True)
        shown = _SHOWN.search(text)
        asked = shown[1] if shown else ""
        if "map[" in text and (config := _CONFIG.search(text)):
            listed = {} if _OWN.search(text, 0, config.start()) else go_map(config[0].split('"', 1)[0])
            for name, value in listed.items():
                if value not in ("", "[]") and not (name in found and found[name].is_explicit):
                    found[name] = Setting(value, line, is_explicit=False)
            text = text[: config.start()]
        own = "msg=subprocess" in text  # what Ollama gives its runner
        for match in _SET.finditer(text):
            value = next((group for group in match.groups()[1:] if group is not None), "")
            if not (own and match[1] in found):
                found[match[1]] = Setting(value, line, is_explicit=True)
    return found


def number(seen: Evidence, pattern: Pattern) -> tuple[int, Line] | None:
    """The largest number that the pattern's groups find, and its line."""
    found = [(int(next(g for g in hit.match.groups() if g)), hit.line) for hit in seen.all(pattern)]
    return max(found, key=lambda one: one[0], default=None)


def context(seen: Evidence) -> tuple[int, Line] | None:
    """The largest context in tokens that a request, a model file, the environment or a runner names."""
    return number(seen, _CONTEXT)


def asked_context(seen: Evidence) -> tuple[int, Line] | None:
    """The same, only as a person asked for it."""
    return number(seen, _ASKED_CONTEXT)


def default_context(seen: Evidence) -> tuple[int, Line] | None:
    """The default that the server chose by the size of the GPUs' memory (0.15.5 and later)."""
    return number(seen, _DEFAULT_CONTEXT)


def parallel(seen: Evidence) -> tuple[int, Line] | None:
    """Parallel slots: as configured, else as the runner says."""
    if (setting := environment(seen).get("OLLAMA_NUM_PARALLEL")) and setting.value.isdecimal() and int(setting.value):
        return int(setting.value), setting.line
    return number(seen, _PARALLEL)


def layers_asked(seen: Evidence) -> list[tuple[int, Line]]:
    """Every number of GPU layers that somebody asked for; -1 is Ollama's own choice."""
    told = [
        (int(hit.match[1] or hit.match[2]), hit.line)
        for hit in seen.everywhere(_LAYERS_TOLD)
        if hit.line.kind in ("prose", "text", "call")
    ]
    return told + [(int(next(g for g in hit.match.groups() if g)), hit.line) for hit in seen.all(_LAYERS_ASKED)]
