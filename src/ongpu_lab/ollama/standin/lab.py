"""Where this program stands: the lab host's guard, its fault knobs, and what it learns about itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOST_FILE = "/etc/ongpu-lab/host.ini"
KNOBS_FILE = "/etc/ongpu-lab/ollama.ini"
RUN_DIR = "/run/ongpu-lab"


def guard(program: str) -> None:
    """Stop unless this is a lab host. `$ONGPU_LAB_HOST` names another marker file, for tests."""
    marker = os.environ.get("ONGPU_LAB_HOST", HOST_FILE)
    if not os.path.exists(marker):
        sys.exit(f"{program}: this is the ongpu lab's stand-in, it runs only on lab hosts ({marker} is missing)")


def run_dir() -> Path:
    return Path(os.environ.get("ONGPU_LAB_RUN", RUN_DIR))


def executable() -> Path:
    """The real path of the running program. `$ONGPU_LAB_EXE` names it in tests, where the interpreter runs it."""
    return Path(os.path.realpath(os.environ.get("ONGPU_LAB_EXE") or "/proc/self/exe"))


class Knobs:
    """The faults that an operator of the lab has switched on, re-read at each load.

    Each is a key of a section; everything is optional::

        [discovery]
        delay = 3            seconds that every probe child sleeps
        timeout = 1          seconds that a probe child may take, instead of 30
        find = nothing       the probes find no device
        vulkan = yes         the vulkan directory finds the NVIDIA GPUs
        [load]
        crash = 1            the runner exits with this status while it loads
        crash_message = ...  and prints this line before
        quiet = yes          the runner's output is lost
        silent_cpu = yes     the runner says everything is on the GPU but holds no GPU memory
        delay = 2            seconds that a load takes
        [generation]
        pace = no            tokens come at once; the reported durations stay those of the simulated GPU
        speed = 0.5          factor on the simulated rate
        break_after = 3      the runner ends its answer after that many tokens, without saying that it is done
        [pull]
        status = 503         the registry's manifest answer is taken for this status
        corrupt = yes        one byte of each blob is changed on the way
        cut_after = 1000     the connection breaks after that many bytes, once per blob
    """

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], str] = {}
        try:
            lines = Path(os.environ.get("ONGPU_LAB_KNOBS", KNOBS_FILE)).read_text(errors="replace").splitlines()
        except OSError:
            return
        section = ""
        for line in (line.strip() for line in lines):
            if line.startswith("["):
                section = line.strip("[]")
            elif "=" in line and not line.startswith(("#", ";")):
                key, _, value = line.partition("=")
                self._values[section, key.strip()] = value.strip()

    def text(self, section: str, key: str) -> str:
        return self._values.get((section, key), "")

    def flag(self, section: str, key: str, default: bool = False) -> bool:
        value = self.text(section, key).lower()
        return value in ("1", "yes", "true", "on") if value else default

    def number(self, section: str, key: str, default: float = 0.0) -> float:
        try:
            return float(self.text(section, key) or default)
        except ValueError:
            return default
