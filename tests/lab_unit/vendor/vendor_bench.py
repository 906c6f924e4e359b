"""A simulated machine for the stand-in libraries: its own INI file, run directory and device nodes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

RECORDINGS = Path(__file__).parents[2] / "recordings/nvidia-contract"


@dataclass
class Machine:
    root: Path
    driver: Path
    program: Path | None = None  # another nvidia-smi than the one beside the libraries

    def __post_init__(self) -> None:
        for name in ("run/module", "run/procs", "run/set", "dev"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        self.nodes("nvidiactl", "nvidia0", "nvidia1", "nvidia-uvm")

    def nodes(self, *names: str) -> None:
        for path in (self.root / "dev").iterdir():
            path.unlink()
        for name in names:
            (self.root / "dev" / name).touch()

    def load(self, version: str, *, uvm: bool = True) -> None:
        """As if the kernel module of this version were loaded."""
        (self.root / "run/module/version").write_text(version + "\n")
        if uvm:
            (self.root / "run/module/uvm").touch()

    def unload(self) -> None:
        for path in (self.root / "run/module").iterdir():
            path.unlink()

    def gpus(self, ini: str) -> None:
        (self.root / "gpus.ini").write_text(ini)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LD_LIBRARY_PATH": str(self.driver),
            "ONGPU_LAB_GPUS": str(self.root / "gpus.ini"),
            "ONGPU_LAB_RUN": str(self.root / "run"),
            "ONGPU_LAB_DEV": str(self.root / "dev"),
            "TZ": "UTC",
        }

    def smi(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [str(self.program or self.driver / "nvidia-smi"), *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        return done.returncode, done.stdout

    def python(self, code: str, **environment: str) -> str:
        """The output of a Python program that loads the libraries as any program would."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=self.environment() | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
