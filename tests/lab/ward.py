"""Three configured hosts of the lab, on which causes are staged, and what an operator does to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ongpu_lab import faults
from ongpu_lab.lab import Lab
from tests.lab.fleets import Controller
from tests.lab.machines import Host

HOSTS = ("lab1", "lab2", "lab3")  # Debian 12, Debian 13, Debian 12 with two GPUs
_FORGET = """
rm -f /etc/systemd/system/ollama.service.d/zz-ongpu-fix.conf /etc/modprobe.d/ongpu-nvidia.conf
systemctl daemon-reload
systemctl --quiet is-active ollama.service && ! systemctl show ollama -p NeedDaemonReload | grep -q yes || :
"""
NAMES = {fault.cause: fault.name for fault in faults.every()}


class Ward:
    """Three configured hosts, and what is done to them."""

    def __init__(self, lab: Lab, on: Controller) -> None:
        self.lab, self.on = lab, on
        self.hosts = [Host(lab, name) for name in HOSTS]

    def at_once(self, work: Callable[[Host, str], None], causes: dict[str, str]) -> None:
        """Work on each host, side by side."""
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(work, host, causes[host.name]) for host in self.hosts if host.name in causes]:
                done.result()

    def stage(self, causes: dict[str, str]) -> None:
        for host, cause in causes.items():  # what is active is noted in one file
            faults.note(self.lab, NAMES[cause], host)
        self.at_once(lambda host, cause: faults.find(cause).apply(faults.Target(self.lab, host.name)), causes)

    def take_back(self, causes: dict[str, str]) -> None:
        self.at_once(lambda host, cause: faults.find(cause).clear(faults.Target(self.lab, host.name)), causes)
        for host in causes:
            faults.forget(self.lab, host)

    def discharge(self, host: Host, cause: str) -> None:
        """The host as it was before, without what a fix left."""
        if host.run("test -e /etc/systemd/system/ollama.service.d/zz-ongpu-fix.conf").returncode == 0:
            host.out(_FORGET + "systemctl restart ollama.service")
        host.run("rm -f /etc/modprobe.d/ongpu-nvidia.conf")

    def diagnosed(self, *names: str) -> dict[str, dict[str, Any]]:
        return self._report("diagnose", *names)

    def fixed(self, *words: str) -> dict[str, dict[str, Any]]:
        return self._report("fix", *words)

    def _report(self, *words: str) -> dict[str, dict[str, Any]]:
        done = self.on.ongpu(*words, "--format", "json")
        assert done.returncode in (0, 2, 3, 4), done.stderr
        assert "Traceback" not in done.stderr
        return {host["host"]: host for host in json.loads(done.stdout)["hosts"]}
