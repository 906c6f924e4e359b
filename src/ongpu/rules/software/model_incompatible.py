"""This Ollama release cannot run the model.

What it means: The model needs a newer Ollama, or its file is of a form that this release's runner does not read.
Why it matters: The model does not load at all.
How it comes about: A new architecture on an old release, or a model file that was made for the runner before 0.30.
Fix: Upgrade Ollama; if it is new already, pull the model again (ollama rm MODEL, ollama pull MODEL), or take another file of it.
Fix safety: restart.
References: llama.cpp "unknown model architecture"; Ollama llm/llama_server.go; registry answer 412.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(
    r"unknown model architecture", "may be incompatible with your version of Ollama", r"requires a newer version of Ollama",
    r"unsupported (?:model )?architecture", r"error loading model (?:architecture|hyperparameters)", r"missing tensor '[\w.]+'", r"wrong number of tensors",
    r"invalid (?:magic|GGUF)[^\n]{0,40}", r"this model is not supported by your version of Ollama",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("this Ollama release cannot run the model", line) if line else None


RULE = Rule(
    id="SW-050",
    slug="model-incompatible",
    severity="critical",
    check=check,
    needs=(
        "log",
        "text",
    ),
    explains=("install-stale-mixed",),
    commands=(
        "ollama --version",
        "ollama rm MODEL",
        "ollama pull MODEL",
    ),
    fires=(
        "llama_model_load: error loading model: error loading model architecture: unknown model architecture: 'qwen3next'",
        "Error: pull model manifest: 412: The model you are attempting to pull requires a newer version of Ollama.",
    ),
    quiet=("load_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)
