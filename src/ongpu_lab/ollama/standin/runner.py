"""One loaded model: the llama-server child, its command line, its output, its port."""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import client, envconfig, gguf, gojson, golog, holding, layout
from .device import Device, child_environment
from .loadlog import LoadLog
from .names import Name

_POLL = 0.02


class LoadFailed(Exception):
    """The runner did not come up; the text goes to the client."""


@dataclass(frozen=True)
class Options:
    """What a request or a Modelfile asks of a load; None = automatic."""

    num_ctx: int
    num_gpu: int = -1
    num_batch: int | None = None
    num_thread: int | None = None
    main_gpu: int | None = None
    use_mmap: bool | None = None


@dataclass
class Plan:
    """A load that the scheduler has decided on."""

    name: Name
    path: Path
    model: gguf.Model
    options: Options
    parallel: int
    batch: int
    devices: list[Device]
    single: bool = False
    digest: str = ""

    @property
    def embedding(self) -> bool:
        return self.model.get("pooling_type") is not None


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

    def alive(self) -> bool:
        """A killed process whose last threads are still ending is dead."""
        if self.process.poll() is not None:
            return False
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] not in "ZX"

    def stop(self) -> None:
        """SIGKILL, as the real server does it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        holding.release(self.process.pid)


def command(plan: Plan, port: int) -> list[str]:
    """The command line in the order of `startLlamaServer`."""
    options = plan.options
    words = [str(layout.llama_server()), "--model", str(plan.path), "--port", str(port), "--host", "127.0.0.1"]
    words += ["--no-webui", "--offline", "-c", str(options.num_ctx * plan.parallel), "-np", str(plan.parallel)]
    words += ["--log-verbosity", "4", "--no-log-prefix", "--no-log-timestamps"]
    if not plan.devices or options.use_mmap is False:
        words += ["--load-mode", "none"]
    if kind := envconfig.var("OLLAMA_KV_CACHE_TYPE").lower():
        words += ["--cache-type-k", kind, "--cache-type-v", kind]
    words += ["--flash-attn", flash_attention(plan.devices), "-b", str(plan.batch), "-ub", str(plan.batch)]
    if plan.embedding:
        words.append("--embedding")
    if options.num_gpu >= 0:
        words += ["-ngl", str(options.num_gpu)]
    if options.num_thread:
        words += ["-t", str(options.num_thread)]
    if plan.single:
        words += ["--split-mode", "none", "--main-gpu", "0"]
    return words if plan.embedding else [*words, "--context-shift", "--keep", "4"]


def flash_attention(devices: list[Device]) -> str:
    """The user's word, else `auto` unless a GPU is too old for it (ml/device.go)."""
    if envconfig.var("OLLAMA_FLASH_ATTENTION"):
        return "on" if envconfig.boolean("OLLAMA_FLASH_ATTENTION") else "off"
    old = [d for d in devices if d.library == "CUDA" and (d.compute < (6, 0) or d.compute == (7, 2))]
    return "off" if old else "auto"


def environment(plan: Plan) -> dict[str, str]:
    directory = plan.devices[0].directory if plan.devices else None
    extra = {"LLAMA_MEDIA_MARKER": f"<__ollama_media_{secrets.token_hex(16)}__>"}
    libraries = {device.library for device in plan.devices}
    if libraries == {"CUDA"}:
        extra["CUDA_VISIBLE_DEVICES"] = ",".join(device.filter_id for device in plan.devices)
    elif libraries == {"Vulkan"}:
        extra["GGML_VK_VISIBLE_DEVICES"] = ",".join(device.filter_id for device in plan.devices)
    return child_environment(directory, extra)


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
    threading.Thread(target=_relay, args=(runner,), daemon=True).start()
    return runner


def _relay(runner: Runner) -> None:
    """Pass the child's output through, byte by byte as it is, and read what Ollama reads in it."""
    assert runner.process.stdout
    for data in runner.process.stdout:
        golog.raw(data)
        runner.log.line(data.decode(errors="replace"))
        runner.last_line = time.monotonic()


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
    time.sleep(_POLL)  # the relay reads what is left in the pipe
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
