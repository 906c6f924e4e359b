"""The quantised cache puts attention on the CPU.

What it means: OLLAMA_KV_CACHE_TYPE asks for a quantised cache, for which this model's attention has no GPU code.
Why it matters: Everything is shown on the GPU, and tokens come many times slower with a busy CPU.
How it comes about: Models with head sizes that flash attention does not cover (gemma 3 and others) with q8_0 or q4_0.
Fix: Unset OLLAMA_KV_CACHE_TYPE (or use f16) for this model's server and restart it.
Fix safety: restart.
References: Ollama docs/faq.mdx (K/V cache); ggml-cuda flash attention kernels.
"""

from __future__ import annotations

from ongpu.rules.action import Unset, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import settings
from ongpu.rules.rule import Hit, Rule, likely, proven

_TYPE = words(r"--(?:kv-cache-type|cache-type-[kv])[ =]\"?(q\d_\d)", r"type_[kv] = '?(q\d_\d)")
_TOLD = words(r"KV[_ ]?CACHE[_ ]?TYPE\b[\"'`]?(?: |:|=|to|is|at){1,6}[\"'`]?q\d_\d")
_SLOW = words(
    r"^eval rate: +\d+\.\d+ tokens/s", r"prompt eval rate: +\d", r"\b(?:very |much |extremely |\d+x )?slow(?:er|ly)?\b", r"(?:high|100 ?%|all) CPU", r"\bCPU\b[^\n.]{0,20} (?:9\d|100) ?%", r"graph splits = (?:[5-9]|\d{2,})",
    r"\btok\w{0,6} ?(?:per second|/ ?s)[^\n]{0,80}\bq[48]_0", r"\bq[48]_0[^\n]{0,60}\btok\w{0,6} ?(?:per second|/ ?s)",
    r"\b\d{3,5}(?:\.\d)? +\d{1,2}\.\d +[\d:.]+ +ollama", r"CPU (?:usage|load|utili[sz]ation)",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    setting = settings.environment(seen).get("OLLAMA_KV_CACHE_TYPE")
    quantised = (
        setting.line if setting and setting.value.lower().startswith("q") else seen.find(_TYPE) or seen.told(_TOLD)
    )
    slow = seen.told(_SLOW)
    if quantised is None or slow is None:
        return None
    make = proven if "splits" in slow.text else likely
    return make("the quantised cache puts attention on the CPU", quantised, slow)


RULE = Rule(
    id="CALL-005",
    slug="kv-quant-attention-on-cpu",
    severity="warning",
    check=check,
    needs=("env", "log"),
    explains=("hidden-cpu-work",),
    commands=(
        "sudo systemctl edit ollama   # [Service] UnsetEnvironment=OLLAMA_KV_CACHE_TYPE",
        "sudo systemctl restart ollama",
    ),
    repair=always(Unset(("OLLAMA_KV_CACHE_TYPE",))),
    fires=(
        "OLLAMA_KV_CACHE_TYPE=q8_0\ngemma3:12b is very slow\ngemma3:12b f4031aab637d 11 GB 100% GPU Forever",
        "OLLAMA_KV_CACHE_TYPE=q4_0\neval rate:            4.73 tokens/s",
    ),
    quiet=(
        "OLLAMA_KV_CACHE_TYPE=q8_0\nllama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",
        "OLLAMA_KV_CACHE_TYPE=f16\nvery slow",
    ),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)
