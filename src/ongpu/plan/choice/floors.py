"""The oldest driver with which Ollama uses a GPU.

Sources: github.com/ollama/ollama: docs/gpu.mdx (compute capability 5.0 and later, driver 550, 570 for 5.0 to 6.2; 531
up to 0.30.10), discover/cuda_compat.go (550 enforced since 0.30.11, 570 since 0.30.0, both for cuda_v12),
llama/server/CMakePresets.json (architectures in cuda_v12 and cuda_v13). Since 0.30.0 the libraries have compressed
code, which drivers before 550 cannot load (pull request 16895). cuda_v13 is there since 0.11.11 and needs CUDA 13's
driver, 580 (NVIDIA, CUDA release notes).
"""

from __future__ import annotations

from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

_COMPRESSED = Version("0.30.0")
_CUDA_13 = Version("0.11.11")
_ADDS_10_0 = Version("0.32.2")
_OLDEST = (5, 0)
_IN_CUDA_12 = {(5, 0), (5, 2), (6, 0), (6, 1), (7, 0), (7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (12, 0)}
_NOWHERE = {(5, 3), (6, 2), (7, 2)}  # Tegra chips


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """`branch` is the oldest driver branch, None = no driver helps. `why` ends the sentence "needs driver ...: why"."""

    branch: int | None
    why: str


def floor(release: str, capability: tuple[int, int] | None) -> Floor:
    """`release`: Ollama's version, empty if Ollama is not managed here. `capability` None: not known, so the newest
    library, whose code every later GPU can compile for itself, must serve it."""
    version = _version(release)
    says = f"Ollama {release}" if release else "Ollama"
    if capability is None:
        return Floor(branch=580, why=f"{says} serves a GPU of unknown compute capability by cuda_v13 at best")
    words = f"compute capability {capability[0]}.{capability[1]}"
    if capability < _OLDEST or capability in _NOWHERE:
        return Floor(branch=None, why=f"Ollama has no library for {words}")
    if capability not in _in_cuda_12(version):
        if version < _CUDA_13:
            return Floor(branch=None, why=f"{says} has no library for {words}: 0.11.11 is the first that has")
        return Floor(branch=580, why=f"{says} serves {words} by cuda_v13 only, which needs CUDA 13")
    if version < _COMPRESSED:
        return Floor(branch=531, why=f"{says} needs 531")
    if capability < (7, 0):
        return Floor(branch=570, why=f"{says} needs 570 for {words}")
    return Floor(branch=550, why=f"{says} needs 550")


def _in_cuda_12(version: Version) -> set[tuple[int, int]]:
    return _IN_CUDA_12 | ({(10, 0)} if version >= _ADDS_10_0 else set())


def _version(release: str) -> Version:
    """What cannot be read is taken for the newest."""
    try:
        return Version(Version(release).base_version)
    except InvalidVersion:
        return Version("9999")
