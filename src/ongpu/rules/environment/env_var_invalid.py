"""A variable has a value that Ollama does not accept.

What it means: Ollama rejected the value, or it names a library directory that is not there.
Why it matters: The setting does not count, or no GPU library is left to choose from.
How it comes about: A typing error, a value of an older release (OLLAMA_LLM_LIBRARY=cuda_v11), quotes inside the value.
Fix: Correct or remove the variable where it is set (systemctl cat ollama), and restart Ollama.
Fix safety: restart.
References: Ollama envconfig/config.go; docs/faq.mdx.
"""

from __future__ import annotations

from ongpu.rules.action import Action, Unset
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement, settings
from ongpu.rules.rule import Hit, Rule, likely, proven

_SAID = words(
    r"invalid environment variable", "invalid setting, ignoring", r"Invalid OLLAMA_\w+[^\n]{0,120}", r"invalid (?:setting|value)[^\n]{0,60}(?:OLLAMA|CUDA)_\w+", r"OLLAMA_\w+[^\n]{0,40}invalid",
    r"\"?OLLAMA_\w+\"? must be", r"invalid port, using default", r"requested[^\n]{0,40}library[^\n]{0,60}not (?:found|available)",
)  # fmt: skip
_NAME = words(r"\bOLLAMA_[A-Z_]{2,40}\b")
_NO_LIBRARY = ("cpu", "cpu_avx", "cpu_avx2")
_LISTED = words(r"\bcuda_v1[0-9](?:\.\d{1,2})?(?:_avx2?)?\b")


def check(seen: Evidence) -> Hit | None:
    if line := seen.find(_SAID):
        return proven("Ollama rejects the value of an environment variable", line)
    setting = settings.environment(seen).get("OLLAMA_LLM_LIBRARY")
    if setting is None or not setting.value:
        return None
    if setting.value in _NO_LIBRARY:
        return proven(f"OLLAMA_LLM_LIBRARY={setting.value} asks for the CPU", setting.line)
    there = {hit.match[0].lower() for hit in seen.all(_LISTED) if hit.line != setting.line}
    nothing = placement.no_gpu(seen)
    known = any(f"{library}_".startswith(f"{setting.value}_") for library in there)
    if nothing and there and not known and setting.value.startswith("cuda_v"):
        return likely(
            f"OLLAMA_LLM_LIBRARY={setting.value} names a library that is not installed", setting.line, nothing
        )
    return None


def _repair(seen: Evidence) -> tuple[Action, ...]:
    """The variable that Ollama names, or the library that keeps it off the GPU."""
    named = {hit.match[0] for hit in seen.all(_NAME) if hit.line in {rejected.line for rejected in seen.all(_SAID)}}
    if "OLLAMA_LLM_LIBRARY" in settings.environment(seen):
        named.add("OLLAMA_LLM_LIBRARY")
    return (Unset(tuple(sorted(named))),) if named else ()


RULE = Rule(
    id="ENV-003",
    slug="env-var-invalid",
    severity="warning",
    check=check,
    needs=("env", "log"),
    explains=("install-incomplete",),
    repair=_repair,
    fires=(
        'level=WARN source=config.go:120 msg="invalid environment variable, using default" key=OLLAMA_NUM_PARALLEL value=lots default=1',
        'level=WARN source=gpu.go msg="Invalid OLLAMA_LLM_LIBRARY cuda_v11 - not found"',
    ),
    quiet=("OLLAMA_LLM_LIBRARY=cuda_v12",),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)
