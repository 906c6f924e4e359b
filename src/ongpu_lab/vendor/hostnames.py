"""The names of the imitated web sites."""

from __future__ import annotations

NVIDIA = "developer.download.nvidia.com"
GITHUB = "github.com"
GITHUB_ASSETS = "release-assets.githubusercontent.com"
REGISTRY = "registry.ollama.ai"
REGISTRY_BLOBS = "dd20bb891979d25aebc8bec07b2b3bbc.r2.cloudflarestorage.com"
ALL: tuple[str, ...] = (NVIDIA, GITHUB, GITHUB_ASSETS, REGISTRY, REGISTRY_BLOBS)
