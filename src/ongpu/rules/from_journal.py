"""The service's journal as evidence: of each model only its latest load, which tells how things are now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ongpu.host.ollama import Journal
from ongpu.rules.evidence import Kind
from ongpu.rules.peel import tidy
from ongpu.rules.recognise import kind_of

# msg="starting llama-server" cmd="/…/llama-server --model /…/sha256-55cb… --port 40001 …"       (0.30 and later)
# msg="starting runner" cmd="/usr/local/bin/ollama runner --ollama-engine --model /…/sha256-55cb… --port 40001"
_START = re.compile(r"msg=\"starting (?:llama-server|llama server|runner|ollama runner)\"[^\n]*--model (\S+)")


def journal(found: Journal) -> Iterator[tuple[Kind, str]]:
    for raw in latest_loads(found.lines):
        if line := tidy(raw):
            yield kind_of(line, "log"), line


def latest_loads(lines: Sequence[str]) -> Iterator[str]:
    """Without the lines from a load's start to the next load's, where the same model was loaded again later."""
    models = [start[1] if (start := _START.search(line)) else "" for line in lines]
    last = {model: at for at, model in enumerate(models) if model}
    kept = True
    for at, (model, line) in enumerate(zip(models, lines, strict=True)):
        if model:
            kept = last[model] == at
        if kept:
            yield line
