"""The one place where hosts meet the simulated vendors: sites, hardware, profiles."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

from ongpu_lab.hosts.capsule import environment
from ongpu_lab.hosts.paths import LabDir
from ongpu_lab.layout import GATEWAY
from ongpu_lab.vendor import hardware, sites


def hostnames() -> tuple[str, ...]:
    """The names that lead to the lab's own web server, on hosts of the lab only."""
    return sites.HOSTNAMES


def profiles() -> tuple[str, ...]:
    return hardware.profiles()


def build_sites(cache: Path, lab: LabDir) -> None:
    sites.build(cache, lab / "www", lab / "nvidia-key.asc")


class Hardware:
    """The simulated hardware of one host, as long as the supervisor lives."""

    def __init__(self, directory: Path, profile: str, cache: Path) -> None:
        self._directory = directory
        self._profile = profile
        self._cache = cache / "vendor"
        self._kernel_log: int | None = None

    def equip(self, root: Path) -> list[str]:
        """Put it into a new disk; the systemd-nspawn options that it needs."""
        hardware.equip(root, self._profile, self._cache)
        return hardware.nspawn_arguments(self._directory, self._profile, self._cache)

    def power_on(self) -> None:
        """Before each boot. The FIFO that stands for /dev/kmsg must be held open, or the host's systemd would wait for
        a reader; what the last boot left in it is not this boot's."""
        if self._kernel_log is None:
            self._kernel_log = os.open(self._directory / "kmsg", os.O_RDWR | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while os.read(self._kernel_log, 65536):
                pass


async def start(lab: LabDir) -> asyncio.subprocess.Process:
    """Start the vendors' web server on the lab's side of the network; returns when it listens, or has ended."""
    with (lab / "lab.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ongpu_lab.vendor.serve",
            "--www", str(lab / "www"), "--address", GATEWAY,
            "--certificate", str(lab / "server.crt"), "--key", str(lab / "server.key"),
            "--log", str(lab / "access.log"), "--knobs", str(lab / "serve.ini"),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=environment(),
        )  # fmt: skip
    while process.returncode is None:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(GATEWAY, 443)
            writer.close()
            break
        await asyncio.sleep(0.02)
    return process
