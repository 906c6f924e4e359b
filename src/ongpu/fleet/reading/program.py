"""A way to a host through a program: OpenSSH's `ssh`, for what asyncssh does not know, or a shell on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal

from ongpu.engine.answer import Answer, reason
from ongpu.fleet.reading.target import Target
from ongpu.fleet.reading.way import ALIVE_COUNT, ALIVE_SECONDS, CONNECT_SECONDS, MOST_BYTES

_ENDING_SECONDS = 2.0
# What OpenSSH says on standard error when it ends with 255, in lower case, and how our sentence begins.
_SSH_SAYS = (
    ("host key verification failed", "the host key is not the one in known_hosts, or not in it"),
    ("remote host identification has changed", "the host key is not the one in known_hosts"),
    ("host key is known for", "the host key is not in known_hosts"),
    ("permission denied (", "authentication failed (wrong user or key)"),
    ("too many authentication failures", "authentication failed (too many keys were offered)"),
    ("could not resolve hostname", "the host name cannot be resolved"),
)


class Program:
    """Runs one program with the script on its standard input. `is_ssh`: its exit code 255 and its words are ssh's."""

    def __init__(self, words: list[str], is_ssh: bool) -> None:
        self._words = words
        self._is_ssh = is_ssh
        self._process: asyncio.subprocess.Process | None = None

    async def connect(self) -> None:
        """The program connects when it runs."""

    async def run(self, script: str, seconds: float) -> Answer:
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return Answer("", f"{self._words[0]}: {error.strerror}")
        try:
            async with asyncio.timeout(seconds):
                out, err = await _talk(self._process, script.encode())
                code = await self._process.wait()
        except TimeoutError:
            return Answer("", f"no answer within {seconds:.0f} s")
        text, said = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
        if self._is_ssh and code == 255:
            return Answer(text, ssh_in_words(said))
        return Answer(text, reason(text, said) if code else "")

    async def close(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_ENDING_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _talk(process: asyncio.subprocess.Process, script: bytes) -> tuple[bytes, bytes]:
    """What it writes, up to MOST_BYTES; more ends it."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        return b"", b""  # for the types: all three are pipes
    reading = asyncio.gather(_all(process.stdout), _all(process.stderr))
    with contextlib.suppress(OSError):
        process.stdin.write(script)
        await process.stdin.drain()
    process.stdin.close()
    return await reading


async def _all(stream: asyncio.StreamReader) -> bytes:
    pieces, size = [], 0
    while piece := await stream.read(65536):
        if size < MOST_BYTES:
            pieces.append(piece)
            size += len(piece)
    return b"".join(pieces)


def ssh_in_words(said: str) -> str:
    """OpenSSH's last words as a sentence of ours."""
    lower = said.lower()
    for words, sentence in _SSH_SAYS:
        if words in lower:
            return sentence
    return f"unreachable: {reason('', said)}"


def local(target: Target) -> Program:
    """A shell on this machine, for the inventory's `@local`."""
    return Program(shlex.split(target.command), is_ssh=False)


def openssh(target: Target) -> Program:
    """`ssh`, which reads ssh_config itself. It never asks anything, and always verifies the host's key."""
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "ControlMaster": "no",
        "ControlPath": "none",
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ServerAliveInterval": str(ALIVE_SECONDS),
        "ServerAliveCountMax": str(ALIVE_COUNT),
    }
    if target.known_hosts:
        options["UserKnownHostsFile"] = f'"{target.known_hosts}"'
    words = ["ssh", "-T", *(["-F", os.path.expanduser(target.config)] if target.config else [])]
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    words += ["-l", target.user] if target.user else []
    words += ["-p", str(target.port)] if target.port else []
    words += ["-i", os.path.expanduser(target.key), "-o", "IdentitiesOnly=yes"] if target.key else []
    return Program([*words, "--", target.hostname, target.command], is_ssh=True)
