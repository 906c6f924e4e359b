"""Which driver fits: source, branch and kernel modules, from the GPUs, the distribution, Ollama's version and the spec.

Facts in chips.py (GPUs), branches.py (NVIDIA's drivers), floors.py (Ollama), toolkit.py (CUDA); the decision in
choose.py. All pure.
"""

from __future__ import annotations

from ongpu.plan.choice.chips import Architecture, Card, identify
from ongpu.plan.choice.choose import Choice, auto_branch, choose, remarks

__all__ = ["Architecture", "Card", "Choice", "auto_branch", "choose", "identify", "remarks"]
