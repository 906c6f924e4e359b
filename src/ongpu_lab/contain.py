"""Run helpers so that they leave nothing behind: in namespaces that die with the caller, kill -9 included."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

# root's PATH may lack them (su without -, cron)
_SYSTEM_DIRECTORIES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DIES_WITH_CALLER = ("setpriv", "--pdeathsig", "KILL", "--")
_OWN_NAMESPACES = (
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child=KILL",
    "--mount-proc",
    "--propagation",
    "private",
    "--",
)


def search_path() -> str:
    """PATH with the system directories at its end."""
    own = os.environ.get("PATH", "")
    return f"{own}:{_SYSTEM_DIRECTORIES}" if own else _SYSTEM_DIRECTORIES


def contained(argv: Sequence[str]) -> list[str]:
    """The command wrapped so that all its processes and mounts end when it, or the caller, ends."""
    return [*_DIES_WITH_CALLER, *_OWN_NAMESPACES, *argv]


def clean_environment() -> dict[str, str]:
    """An environment without the caller's locale, proxies for apt kept, system directories in PATH."""
    kept = (
        "HOME",
        "TMPDIR",
        "PYTHONPATH",
        "XDG_CACHE_HOME",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "SOURCE_DATE_EPOCH",
    )
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "PATH": search_path(),
        "LC_ALL": "C.UTF-8",
        "HOME": os.environ.get("HOME", "/root"),
    }


def run(argv: Sequence[str], *, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a short tool of the machine; stdout and stderr as text, the exit code unchecked."""
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout, check=False,
        env=clean_environment(),
    )  # fmt: skip
