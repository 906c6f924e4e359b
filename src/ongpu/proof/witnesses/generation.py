"""A short timed generation: fast enough, where a speed is declared.

Speed alone does not tell where a model lies: the same rate can come from a small model on a CPU or a large one on a
GPU, and how fast this CPU would be is not known. So without a declared minimum it reports the figure and is silent.
"""

from __future__ import annotations

from ongpu.host.result import Evidence
from ongpu.proof.case import Asked, Case
from ongpu.proof.witness import Statement, Witness, no, silent, yes


def testify(case: Case) -> Statement:
    """Yes and no only against `min_tokens_per_second`; a generation that Ollama answers with an error is a no."""
    asked, least = case.asked, case.declared.min_tokens_per_second
    if asked.runner in ("silent", "gone"):
        return _not_there(asked)
    if asked.trouble:
        return silent(asked.trouble)
    if asked.outcome == "failed":
        return no(f"asked for a few tokens, it failed: {asked.why}")
    if asked.generation is None:
        nothing = asked.why if asked.outcome == "resident" and asked.why else "nothing was generated"
        return silent("an embedding model makes no tokens" if asked.kind == "embedding" else nothing)
    made = asked.generation
    rate = made.rate
    line = f"eval_count={made.tokens} eval_duration={made.nanoseconds}"
    if made.prompt_tokens:
        line += f" prompt_eval_count={made.prompt_tokens} prompt_eval_duration={made.prompt_nanoseconds}"
    evidence = (Evidence(source="/api/generate", line=line),)
    if rate is None:
        return silent(f"{asked.generation.tokens} tokens are too few to time", evidence)
    if least is None:
        return silent(f"{rate:.1f} tokens/s, and no min_tokens_per_second is declared", evidence)
    if rate < least:
        return no(f"{rate:.1f} tokens/s, declared are at least {least:g}", evidence)
    return yes(f"{rate:.1f} tokens/s, declared are at least {least:g}", evidence)


def _not_there(asked: Asked) -> Statement:
    """A runner that holds memory and answers nothing serves nobody, wherever its bytes are."""
    evidence = (Evidence(source="/health of its runner", line=asked.runner_line),)
    if asked.runner == "gone":
        return no("Ollama lists it as loaded, but no process of Ollama holds it: its runner was killed", evidence)
    words = asked.runner_line.split()
    return no(f"its runner (process {words[1] if len(words) > 1 else '?'}) does not answer: it is frozen", evidence)


WITNESS = Witness(name="generation", rank=5, places=False, testify=testify)
