"""A draft model takes GPU memory from the model.

What it means: Speculative decoding loads a second, small model (or extra prediction layers) beside the main one.
Why it matters: Its weights and cache take room; if either of the two is partly on the CPU, it makes things slower,
  not faster.
How it comes about: draft_num_predict or a draft layer in the model, or LLAMA_ARG_SPEC variables.
Fix: Set draft_num_predict 0 for the model, or remove the variables, and load it again.
Fix safety: safe.
References: llama.cpp common/speculative; Ollama llm/llama_server.go (--spec options).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement
from ongpu.rules.rule import Hit, Rule, proven

_DRAFT = words(
    r"--spec-type \S+",
    r"--(?:model-draft|spec-draft-model)\b",
    r"LLAMA_ARG_(?:SPEC_DRAFT|MODEL_DRAFT)\w*=",
    r"\bdraft_num_predict[\"']?(?: |:|=){1,4}[1-9]",
)


def check(seen: Evidence) -> Hit | None:
    draft, part = seen.find(_DRAFT), placement.not_on_gpu(seen)
    return proven("a draft model takes GPU memory from the model", draft, part) if draft and part else None


RULE = Rule(
    id="CALL-019",
    slug="draft-model",
    severity="info",
    check=check,
    needs=(
        "call",
        "log",
        "env",
    ),
    fires=("LLAMA_ARG_SPEC_DRAFT_MODEL=/m/small.gguf\nload_tensors: offloaded 28/33 layers to GPU",),
    quiet=("LLAMA_ARG_FIT_TARGET=512\nload_tensors: offloaded 28/33 layers to GPU",),
    unknown=("docker run ollama/ollama",),
)
