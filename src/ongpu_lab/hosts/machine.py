"""One host of the lab as the supervisor holds it: boots, reboots when it asks for it, stays down when it powers off."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ongpu_lab import cgroup
from ongpu_lab.errors import LabError
from ongpu_lab.hosts import nspawn
from ongpu_lab.hosts.readiness import Readiness
from ongpu_lab.hosts.rootfs import RootFs
from ongpu_lab.layout import HostShape

BOOT_SECONDS = 120.0


class Machine:
    """States: `down` (never booted or powered off), `booting`, `running` or `degraded` (systemd's own words, seen over
    a real ssh login), `failed` (with a reason)."""

    def __init__(
        self,
        shape: HostShape,
        lab_id: str,
        directory: Path,
        rootfs: RootFs,
        equip: Callable[[], list[str]],
        power_on: Callable[[], None],
        readiness: Readiness,
    ) -> None:
        self.shape = shape
        self.state = "down"
        self.reason = ""
        self.boots = 0
        self._lab_id = lab_id
        self._directory = directory
        self._rootfs = rootfs
        self._equip = equip
        self._power_on = power_on
        self._readiness = readiness
        self._hardware: list[str] = []
        self._life: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._since = 0.0
        self._alone = asyncio.Lock()  # one start, reset or power cut at a time

    def status(self) -> dict[str, Any]:
        up = time.monotonic() - self._since if self.state in ("running", "degraded") else None
        return {
            "host": self.shape.name,
            "address": self.shape.address,
            "system": self.shape.distribution,
            "profile": self.shape.profile,
            "state": self.state,
            "reason": self.reason,
            "boots": self.boots,
            "seconds": up,
        }

    async def start(self) -> None:
        """Boot it unless it is up already."""
        async with self._alone:
            await self._start()

    async def _start(self) -> None:
        if self._life is None or self._life.done():
            await self._set("booting")
            self._life = asyncio.create_task(self._live())

    async def kill(self) -> None:
        """As if its power was cut. The disk keeps what is on it."""
        async with self._alone:
            await self._kill()

    async def _kill(self) -> None:
        if self._life is not None:
            self._life.cancel()
            with suppress(asyncio.CancelledError):
                await self._life
        await asyncio.to_thread(self._sweep)
        await self._set("down", "its power was cut")

    async def reset(self) -> None:
        """A blank host again: power cut, new disk, new boot."""
        async with self._alone:
            await self._kill()
            await asyncio.to_thread(self._rootfs.remove)
            shutil.rmtree(self._directory / "journal", ignore_errors=True)
            (self._directory / "console.log").unlink(missing_ok=True)
            self._hardware = []
            await self._start()

    async def reboot(self) -> None:
        """Ask the host to reboot; start it when it is down. Raises LabError when it does not go down in time."""
        pid = cgroup.leader(self._lab_id, self.shape.name)
        if self._life is None or self._life.done() or pid is None:
            await self.start()
            return
        boots = self.boots
        process = await asyncio.create_subprocess_exec(
            "nsenter", f"--target={pid}", "--all", "--", "systemctl", "reboot", stdin=asyncio.subprocess.DEVNULL
        )
        await process.wait()
        await self._wait(lambda: self.boots > boots or self.state in ("down", "failed"), BOOT_SECONDS)
        if self.boots == boots and self.state not in ("down", "failed"):
            raise LabError(f"{self.shape.name} did not reboot within {BOOT_SECONDS:.0f} s: see `ongpu lab logs`.")

    async def settled(self, seconds: float = BOOT_SECONDS) -> None:
        """Wait until it is no longer booting."""
        await self._wait(lambda: self.state != "booting", seconds)

    def leave_free(self, free_bytes: int | None) -> None:
        self._rootfs.leave_free(free_bytes)

    async def _wait(self, condition: Callable[[], bool], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(condition)

    async def _set(self, state: str, reason: str = "") -> None:
        async with self._changed:
            self.state, self.reason = state, reason
            self._changed.notify_all()

    async def _live(self) -> None:
        """Boots until the host powers off. Nothing is restarted that did not ask for it."""
        try:
            if not self._hardware:
                self._hardware = await asyncio.to_thread(self._equip)
            while (code := await self._boot()) == nspawn.REBOOT:
                await self._set("booting")
        except Exception as error:  # shown by `status`; nobody else waits for this task
            await self._set("failed", str(error) or repr(error))
            return
        if code == 0:
            await self._set("down", "it was powered off")
        else:
            await self._set("failed", f"systemd-nspawn ended with {code}: {self._last_words()}")

    async def _boot(self) -> int:
        """One boot, from power on to the end; the exit status of systemd-nspawn."""
        await asyncio.to_thread(self._sweep)
        self._power_on()
        journal = self._directory / "journal"
        journal.mkdir(exist_ok=True)
        argv = nspawn.argv(self.shape.name, self._rootfs.root, journal, nspawn.uptime(), self._hardware)
        with (self._directory / "console.log").open("ab") as console:
            process = await asyncio.create_subprocess_exec(
                *cgroup.joined(self._lab_id, self.shape.name, argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=nspawn.environment(),
            )
        self.boots += 1
        self._since = time.monotonic()
        watcher = asyncio.create_task(self._watch())
        try:
            return await process.wait()
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _watch(self) -> None:
        """Say `running` when a login works and systemd has started all; `failed` when that takes too long."""
        try:
            async with asyncio.timeout(BOOT_SECONDS):
                state, reason = await self._readiness.of(self.shape.name, self.shape.address)
        except TimeoutError:
            state, reason = "failed", f"no login within {BOOT_SECONDS:.0f} s: {self._last_words()}"
        await self._set(state, reason)

    def _sweep(self) -> None:
        """End what a killed boot has left in the host's cgroup, and remove it: the next boot makes it anew."""
        for tree in cgroup.trees(self._lab_id):
            if not cgroup.destroy(tree / self.shape.name):
                raise LabError(f"Processes of {self.shape.name} do not end (see {tree / self.shape.name}).")

    def _last_words(self) -> str:
        try:
            lines = (self._directory / "console.log").read_text(errors="replace").split("\n")
        except OSError:
            return "its console.log cannot be read"
        return next((line.strip() for line in reversed(lines) if line.strip()), "its console said nothing")
