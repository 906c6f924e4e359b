"""Fleet files for the deploy's tests, and the words that the commands of both ways in share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

SMALL = {"expect": {"gpus": 1, "name": "RTX 4060"}, "models": {"llama3.2:3b": {"context": 8192}}}
PAIR = {"expect": {"gpus": 2}, "models": {"llama3.1:8b": {"context": 8192}}}


def fleet(hosts: Mapping[str, Mapping[str, Any]], **defaults: Any) -> dict[str, Any]:
    """What fleet.yaml holds for these hosts: driver 580, Ollama 0.32.15."""
    common = {"driver": {"branch": "580"}, "ollama": {"release": "0.32.15"}}
    return {"defaults": {**common, **defaults}, "hosts": dict(hosts)}


@dataclass(frozen=True)
class Controller:
    """Runs both ways in on one inventory, as an operator does."""

    inventory: Path

    def ongpu(self, *words: str, timeout: float = 600, **environment: str) -> subprocess.CompletedProcess[str]:
        return self._run(self._ongpu(words), timeout, environment)

    def pyinfra(
        self, *words: str, deploy: str = "deploys/gpu.py", says: str = "", timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """`says` is typed at the prompts."""
        return self._run([str(BIN / "pyinfra"), "inventory.py", deploy, *words], timeout, {}, says)

    def report(self, *words: str, expect: int = 0) -> dict[str, dict[str, Any]]:
        """The JSON report of a verb: host -> its record. Fails when the exit code is another than `expect`."""
        done = self.ongpu(*words, "--format", "json")
        assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return {host["host"]: host for host in json.loads(done.stdout)["hosts"]}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`ongpu ...` in the background, for tests that kill it or change something under it."""
        return subprocess.Popen(
            self._ongpu(words),
            cwd=TOP, env=self._environment({}), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def _ongpu(self, words: tuple[str, ...]) -> list[str]:
        own = (
            ["--history", str(self.inventory.parent / "history")]
            if words[0] in ("apply", "undo", "drift", "verify") and "--history" not in words
            else []
        )
        return [str(BIN / "ongpu"), *words, *own, "-i", "inventory.py"]

    def _run(
        self, argv: list[str], timeout: float, environment: Mapping[str, str], says: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, cwd=TOP, input=says, capture_output=True, text=True, timeout=timeout, check=False,
            env=self._environment(environment),
        )  # fmt: skip

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "ONGPU_INVENTORY": str(self.inventory), **extra}
