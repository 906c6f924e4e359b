"""When a host counts as up: a real login over ssh works, and systemd says that all is started."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from ongpu_lab.hosts.paths import LabDir

_COMMAND = 's=$(systemctl is-system-running --wait); echo "$s"; systemctl list-units --failed --plain --no-legend'


@dataclass(frozen=True, slots=True)
class Readiness:
    lab: LabDir

    async def of(self, host: str, address: str) -> tuple[str, str]:
        """systemd's state (`running`, `degraded`, ...) and, when it is not running, the failed units. Waits as long as
        it takes; the caller sets the limit."""
        while True:
            await _listening(address)
            if (answer := await self._login(host)) is not None:
                return answer
            await asyncio.sleep(0.1)  # sshd was about to start or to stop

    async def _login(self, host: str) -> tuple[str, str] | None:
        process = await asyncio.create_subprocess_exec(
            "ssh", "-F", str(self.lab / "ssh_config"), "-l", "root", "-o", "BatchMode=yes", host, _COMMAND,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            out, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        return parse(out.decode(errors="replace"))


def parse(text: str) -> tuple[str, str] | None:
    """`running`, or `degraded` and lines like `foo.service loaded failed failed Foo`; None for anything else."""
    state, _, failed = text.partition("\n")
    if state not in ("running", "degraded", "maintenance"):
        return None
    units = [line.split()[0] for line in failed.splitlines() if line.split()]
    return state, f"failed units: {' '.join(units)}" if units else ""


async def _listening(address: str) -> None:
    """Wait until sshd greets."""
    while True:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(address, 22)
                try:
                    if await reader.readexactly(4) == b"SSH-":
                        return
                finally:
                    writer.close()
        await asyncio.sleep(0.03)
