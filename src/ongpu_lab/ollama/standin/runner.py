"""One loaded model: the llama-server child, its command line, its output, its port."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import client, envconfig, gojson, golog, holding
from .launch import Plan, command, environment
from .loadlog import LoadLog

_POLL = 0.02
_LAST_WORDS = 5.0  # seconds for the output that a dead runner has left in the pipe


class LoadFailed(Exception):
    """The runner did not come up; the text goes to the client."""


@dataclass
class Runner:
    """Expiry and use are the scheduler's; everything else belongs to the process."""

    plan: Plan
    process: subprocess.Popen[bytes]
    port: int
    log: LoadLog = field(default_factory=LoadLog)
    session: float = 300.0
    expires_at: float = 0.0
    users: int = 0
    doomed: bool = False
    size: int = 0
    size_vram: int = 0
    last_line: float = 0.0
    reading: threading.Lock = field(default_factory=threading.Lock)
    relay: threading.Thread | None = None

    def alive(self) -> bool:
        """A killed process whose last threads are still ending is dead."""
        if self.process.poll() is not None:
            return False
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] not in "ZX"

    def caught_up(self) -> bool:
        """Whether everything that the child has written so far is in `log`."""
        assert self.process.stdout
        with self.reading:
            waiting, _, _ = select.select([self.process.stdout], [], [], 0)
        return not waiting or not self.relay or not self.relay.is_alive()

    def stop(self) -> None:
        """SIGKILL, as the real server does it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        holding.release(self.process.pid)


def start(plan: Plan) -> Runner:
    """Start the child. Raises LoadFailed if there is no program to start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    golog.info("server.go:109", "using llama-server for model", model=plan.path)
    try:
        words = command(plan, port)
    except FileNotFoundError as error:
        failure = f"error starting llama-server: {error}"
        golog.info("sched.go:591", "failed to create server", model=plan.name.short(), error=failure)
        raise LoadFailed(failure) from error
    settings = environment(plan)
    golog.info("llama_server.go:433", "starting llama-server", cmd=" ".join(words))
    shown = {
        k: v
        for k, v in settings.items()
        if k.startswith(("CUDA_", "ROCR_", "ROCM_", "HIP_", "HSA_", "GGML_")) or k in ("PATH", "LD_LIBRARY_PATH")
    }
    golog.debug("llama_server.go:434", "subprocess", **shown)
    process = subprocess.Popen(
        words, env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    runner = Runner(plan, process, port)
    relay(runner)
    return runner


def relay(runner: Runner) -> None:
    """Begin to read the child's output."""
    runner.relay = threading.Thread(target=_relay, args=(runner,), daemon=True)
    runner.relay.start()


def _relay(runner: Runner) -> None:
    """Pass the child's output through as it is, and read what Ollama reads in it, before anyone can see it."""
    assert runner.process.stdout
    descriptor = runner.process.stdout.fileno()
    rest = b""
    while True:
        select.select([descriptor], [], [])
        with runner.reading:
            data = os.read(descriptor, 65536)
            *lines, rest = (rest + data).split(b"\n")
            if not data and rest:
                lines, rest = [rest], b""
            for line in lines:
                runner.log.line(line.decode(errors="replace"))
        if not data and not lines:
            runner.process.wait()  # a zombie would still count as a process that holds GPU memory
            return
        runner.last_line = time.monotonic()
        golog.raw(b"".join(line + b"\n" for line in lines))


def wait_until_ready(runner: Runner, gone: threading.Event) -> None:
    """Poll /health until the model is there. Raises LoadFailed; `gone` = nobody waits for it any more."""
    start_time = time.monotonic()
    golog.info("llama_server.go:1048", "loading model via llama-server", model=runner.plan.path)
    golog.info("llama_server.go:1295", "waiting for llama-server to start responding")
    status = ""
    while True:
        if not runner.alive():
            _died(runner)
        if gone.is_set():
            golog.warn(
                "llama_server.go:1310", "client connection closed before llama-server finished loading, aborting load"
            )
            raise LoadFailed("request canceled")
        now = _health(runner.port)
        if now == "":
            break
        if now != status:
            golog.info("llama_server.go:1350", "waiting for llama-server to become available", status=now)
            status = now
        if time.monotonic() - max(start_time, runner.last_line) > envconfig.load_timeout():
            raise LoadFailed("timed out waiting for llama-server to start - ")
        time.sleep(_POLL)
    while not runner.caught_up():  # a slow journal holds the output up
        time.sleep(0.001)
    golog.info("llama_server.go:1362", f"llama-server started in {time.monotonic() - start_time:.2f} seconds")
    _measure(runner)


def _health(port: int) -> str:
    """Empty when ready, else the status that Ollama logs."""
    try:
        status, _ = client.fetch("127.0.0.1", port, "GET", "/health", timeout=5)
    except (OSError, client.Broken):
        return "llm server not responding"
    return "" if status == 200 else "llm server loading model"


def _died(runner: Runner) -> None:
    code = runner.process.wait()
    if runner.relay:
        runner.relay.join(_LAST_WORDS)
    text = f"exit status {code}" if code >= 0 else f"signal: {_signal_name(-code)}"
    golog.error("llama_server.go:1023", "llama-server terminated", error=text, exit=code)
    raise LoadFailed(
        ": ".join(
            [
                "llama-server process has terminated",
                text,
                *(["\n".join(runner.log.errors)] if runner.log.errors else []),
            ]
        )
    )


def _signal_name(number: int) -> str:
    return {9: "killed", 15: "terminated", 11: "segmentation fault (core dumped)", 6: "aborted (core dumped)"}.get(
        number, str(number)
    )


def _measure(runner: Runner) -> None:
    plan = runner.plan
    runner.size, runner.size_vram = runner.log.sizes(plan.model.file_size)
    if plan.devices and plan.options.num_gpu != 0 and not runner.log.gpu_seen():
        golog.warn(
            "llama_server.go:1067",
            "llama-server VRAM tracking: no per-device buffer sizes were parsed from llama-server "
            "logs. VRAM accounting will be inaccurate. This may indicate a change in llama-server's log format "
            "— check for "
            "'buffer size' lines in the output.",
            model=plan.path,
            gpus=len(plan.devices),
        )


def describe(runner: Runner) -> dict[str, Any]:
    """Attributes of the scheduler's debug lines."""
    return {
        "runner.name": runner.plan.name.full(),
        "runner.inference": "[" + " ".join(f"{{ID:{d.index} Library:{d.library}}}" for d in runner.plan.devices) + "]",
        "runner.size": gojson.human_bytes2(runner.size),
        "runner.vram": gojson.human_bytes2(runner.size_vram),
        "runner.parallel": runner.plan.parallel,
        "runner.pid": runner.process.pid,
        "runner.model": runner.plan.path,
        "runner.num_ctx": runner.plan.options.num_ctx,
    }
