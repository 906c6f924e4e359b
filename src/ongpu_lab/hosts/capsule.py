"""The supervisor's namespaces: private mounts, network, processes, name, IPC. The user's own stay untouched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ongpu_lab
from ongpu_lab import cgroup
from ongpu_lab.contain import clean_environment
from ongpu_lab.errors import LabError
from ongpu_lab.hosts.network import NAMESPACES
from ongpu_lab.hosts.paths import RUN, LabDir

_NAMESPACES = (
    "unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child=KILL", "--mount-proc",
    "--propagation", "private", "--",
)  # fmt: skip


def start(lab: LabDir, lab_id: str) -> subprocess.Popen[bytes]:
    """Start the supervisor detached from us; it outlives us. Its words go to lab.log."""
    python = [sys.executable, "-m", "ongpu_lab.hosts.supervisor", str(lab.root), lab_id]
    with (lab / "lab.log").open("ab") as log:
        return subprocess.Popen(
            cgroup.joined(lab_id, cgroup.SUPERVISOR, [*_NAMESPACES, *python]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=environment(),
        )


def environment() -> dict[str, str]:
    """Finds this very copy of the packages, installed or not."""
    source = str(Path(ongpu_lab.__file__).resolve().parent.parent)
    own = os.environ.get("PYTHONPATH", "")
    return clean_environment() | {"PYTHONPATH": f"{source}:{own}" if own else source}


def private_run() -> None:
    """Inside the namespaces: an empty /run, where nspawn and ip(8) keep their names. Raises LabError."""
    _mount("-t", "tmpfs", "-o", "mode=755", "lab-run", "/run")
    RUN.mkdir()
    NAMESPACES.mkdir()


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False, env=clean_environment())
    if done.returncode != 0:
        raise LabError(f"`mount {' '.join(arguments)}` failed: {done.stderr.strip()}.")
