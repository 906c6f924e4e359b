"""A short timed generation: fast enough, where a speed is declared.

Speed alone does not tell where a model lies: the same rate can come from a small model on a CPU or a large one on a
GPU, and how fast this CPU would be is not known. So without a declared minimum it reports the figure and is silent.
"""

from __future__ import annotations

from ongpu.host.result import Evidence
from ongpu.proof.case import Case
from ongpu.proof.witness import Statement, Witness, no, silent, yes


def testify(case: Case) -> Statement:
    """Yes and no only against `min_tokens_per_second`; a generation that Ollama answers with an error is a no."""
    asked, least = case.asked, case.declared.min_tokens_per_second
    if asked.trouble:
        return silent(asked.trouble)
    if asked.outcome == "failed":
        return no(f"asked for a few tokens, it failed: {asked.why}")
    if asked.generation is None:
        return silent("an embedding model makes no tokens" if asked.kind == "embedding" else "nothing was generated")
    rate = asked.generation.rate
    evidence = (
        Evidence(
            source="/api/generate",
            line=f"eval_count={asked.generation.tokens} eval_duration={asked.generation.nanoseconds}",
        ),
    )
    if rate is None:
        return silent(f"{asked.generation.tokens} tokens are too few to time", evidence)
    if least is None:
        return silent(f"{rate:.1f} tokens/s, and no min_tokens_per_second is declared", evidence)
    if rate < least:
        return no(f"{rate:.1f} tokens/s, declared are at least {least:g}", evidence)
    return yes(f"{rate:.1f} tokens/s, declared are at least {least:g}", evidence)


WITNESS = Witness(name="generation", rank=5, places=False, testify=testify)
