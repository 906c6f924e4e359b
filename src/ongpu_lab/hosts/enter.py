"""Run a command in a host without ssh: through its namespaces, as root. Works with sshd broken, is no login."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from ongpu_lab import cgroup
from ongpu_lab.errors import LabError
from ongpu_lab.hosts.state import State

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/bash",
    "LANG": "C.UTF-8",
}


def argv(state: State, host: str, command: Sequence[str]) -> list[str]:
    """Raises LabError when the lab has no such host or the host is down."""
    shape = state.layout.host(host)
    pid = cgroup.leader(state.lab_id, shape.name)
    if pid is None:
        raise LabError(f"{host} is down: `ongpu lab up` starts it.")
    settings = [f"{name}={value}" for name, value in _ENVIRONMENT.items()]
    return ["nsenter", f"--target={pid}", "--all", "--", "env", "--ignore-environment", *settings, *command]


def run(
    state: State, host: str, command: Sequence[str], stdin: str = "", timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """The command's output as text and its exit code, unchecked. Raises LabError, subprocess.TimeoutExpired."""
    return subprocess.run(
        argv(state, host, command), input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout,
        check=False,
    )  # fmt: skip
