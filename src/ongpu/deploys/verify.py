"""Prove the declared models, change nothing."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from ongpu.operations import ollama


@deploy("ongpu verify")
def verify() -> None:
    """Each declared model by agreeing witnesses; loads what is not resident if nothing is evicted for it."""
    ollama.proof(name="proof: every model on the GPU")
