"""Docker is installed as a snap, which cannot use the NVIDIA container toolkit.

What it means: The Docker daemon runs confined in a snap and does not see the host's NVIDIA runtime.
Why it matters: Containers with a GPU do not start, or start without it.
How it comes about: Docker was chosen as a snap when the system was installed, or beside the package.
Fix: sudo snap remove docker, install Docker's own packages, sudo nvidia-ctk runtime configure --runtime=docker, restart
  docker.
Fix safety: manual; ends all containers.
References: nvidia-container-toolkit installation guide.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, likely, proven

_SNAP = words(
    r"/snap/docker/",
    r"/var/snap/docker",
    r"/snap/bin/docker",
    r"^docker +\d[\w.]* +\d+ +\S+ +canonical",
    r"docker[^\n]{0,40}(?:from|via|as|using) (?:a |the )?snap\b",
    r"snap[^\n]{0,30}\bdocker\b",
)
_FAILS = words(
    "could not select device driver", "unknown or invalid runtime name", r"nvidia-container-cli", "unknown runtime"
)


def check(seen: Evidence) -> Hit | None:
    snap, fails = seen.told(_SNAP), seen.find(_FAILS)
    if snap and fails:
        return proven("Docker is a snap, which cannot use the NVIDIA container toolkit", snap, fails)
    return likely("Docker is a snap, which cannot use the NVIDIA container toolkit", snap) if snap else None


RULE = Rule(
    id="SW-036",
    slug="docker-snap-install",
    severity="critical",
    check=check,
    needs=("container", "package"),
    explains=("container-toolkit-missing", "container-without-gpu", "driver-user-libs-missing"),
    fires=(
        'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].\n/snap/bin/docker',
    ),
    quiet=("/usr/bin/docker",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)
