"""The main job: a host with an NVIDIA GPU becomes one that serves its models on it, proven."""

from __future__ import annotations

from pyinfra import context
from pyinfra.api.deploy import deploy

from ongpu.engine.safety import fleet_wide
from ongpu.operations import nvidia, ollama, watch


@deploy("ongpu")
def gpu() -> None:
    """The fixed sequence, the same on every host. pyinfra needs `_parallel` to be the same on every host too."""
    limits = fleet_wide(context.state)
    nvidia.prerequisites(name="prerequisites")
    nvidia.repository(name="NVIDIA repository")
    nvidia.driver(name="NVIDIA driver")
    nvidia.switch(name="NVIDIA driver switch", _parallel=limits.interrupted)
    nvidia.module(name="kernel module", _parallel=limits.interrupted)
    nvidia.fabric(name="NVSwitch fabric")
    nvidia.ecc(name="GPU ECC mode", _parallel=limits.interrupted)
    nvidia.settings(name="GPU settings")
    nvidia.cuda(name="CUDA libraries and toolkit")
    ollama.uninstall(name="Ollama removed", _parallel=limits.interrupted)
    ollama.account(name="service account")
    ollama.release(name="Ollama release")
    ollama.fit(name="do the models fit?")
    ollama.unit(name="unit")
    ollama.override(name="drop-in")
    ollama.restart(name="Ollama running as declared", _parallel=limits.interrupted)
    ollama.tidy(name="old releases")
    ollama.models(name="models", _parallel=limits.pulls)
    ollama.proof(name="proof: every model on the GPU")
    watch.timer(name="drift check")
