"""A request or model file asks for few GPU layers.

What it means: num_gpu says how many layers go to the GPU, and somebody set it to few or none.
Why it matters: The rest runs on the CPU although it would fit.
How it comes about: A client (Open WebUI and others) or a Modelfile with num_gpu, often copied from advice for small cards.
Fix: Remove num_gpu from the request's options, the client's settings, or the Modelfile (ollama show --modelfile), and
  load the model again.
Fix safety: safe.
References: Ollama docs/modelfile.mdx; api/types.go (NumGPU, -1 = as many as fit).
"""

from __future__ import annotations

from ongpu.rules.action import Action, Unload
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement, settings
from ongpu.rules.rule import Fill, Hit, Rule, likely, proven

_FEW = 8  # layers; no model has so few
_ALL = 90  # who asks for so many means all of them


def check(seen: Evidence) -> Hit | None:
    asked = [(count, line) for count, line in settings.layers_asked(seen) if count >= 0]
    if not asked:
        return None
    count, line = min(asked, key=lambda one: one[0])
    by_line = {plan.line: plan.layers for plan in placement.offloads(seen)}
    whole = by_line.get(line) or max((whole for _, whole, _ in placement.layers(seen)), default=0)
    symptom = placement.not_on_gpu(seen)
    if count == 0:
        return proven("num_gpu is 0: no layer goes to the GPU", line, symptom)
    if whole and count < whole:
        return proven(f"num_gpu is {count}: only {count} of {whole} layers may go to the GPU", line, symptom)
    if not whole and symptom and count < _ALL:
        return likely(f"num_gpu is {count}: no more layers than that may go to the GPU", line, symptom)
    if not whole and count <= _FEW and line.kind in ("prose", "text", "call"):
        return likely(f"num_gpu is {count}: no more layers than that may go to the GPU", line)
    return None


def _repair(seen: Evidence) -> tuple[Action, ...]:
    """Whoever asks for it again gets it again: the client has to be told as well."""
    resident = tuple(row.name for row in placement.residents(seen) if row.cpu_percent)
    return (Unload(resident),) if resident else ()


RULE = Rule(
    id="CALL-001",
    slug="num-gpu-override",
    severity="warning",
    check=check,
    needs=("call", "log"),
    explains=(
        "model-slightly-too-large",
        "model-too-large",
        "vram-below-minimum",
        "context-too-large",
        "output-layer-too-large",
        "estimate-conservative",
        "single-gpu-chosen",
        "install-incomplete",
        "resident-neighbour",
    ),
    commands=("ollama stop MODEL",),
    fills=(Fill("MODEL", words(r"^(\S{1,200}) +[0-9a-f]{12} +[\d.]{1,9} [KMGT]B +\d{1,3}%(?:/\d{1,3}%)? CPU")),),
    repair=_repair,
    fires=(
        'level=INFO source=server.go:168 msg=offload library=cuda layers.requested=1 layers.model=33 layers.offload=1 memory.available="[22.0 GiB]"',
        "PARAMETER num_gpu 0",
        '$ curl localhost:11434/api/generate -d \'{"model":"llama3","options":{"num_gpu":0}}\'',
    ),
    quiet=(
        "PARAMETER num_gpu 999",
        'level=INFO source=server.go:168 msg=offload library=cuda layers.requested=-1 layers.model=33 layers.offload=33 memory.available="[22.0 GiB]"',
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)
