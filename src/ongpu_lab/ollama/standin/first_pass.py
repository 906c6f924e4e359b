"""One backend directory asked for its devices: three probe children, their answers put together."""

from __future__ import annotations

import json
import random
import re
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from . import envconfig, gojson, golog, lab, layout
from .device import Device, child_environment
from .parallel import side_by_side

FIRST_TIMEOUT = 30.0
# ggml's own line, llama.cpp 4df29be4f:   Vulkan0: llvmpipe (LLVM 15.0.6, 256 bits) (2048 MiB, 2048 MiB free)
DEVICE = re.compile(r"^\s+(\w+?)(\d+): (.+) \((\d+) MiB, (\d+) MiB free\)$", re.MULTILINE)
_ARCHS = re.compile(r"ARCHS = ([\d,]+)")


def first_pass(directory: Path | None, extra: dict[str, str] | None = None, timeout: float = 0.0) -> list[Device]:
    """One directory: three children, their answers put together."""
    timeout = timeout or lab.Knobs().number("discovery", "timeout") or FIRST_TIMEOUT
    start = time.monotonic()
    base = layout.library_dir()
    lib_dirs = [str(base), *([str(directory)] if directory else [])]
    attrs: dict[str, Any] = {"OLLAMA_LIBRARY_PATH": lib_dirs, "extra_envs": extra or {}}
    try:
        server = layout.llama_server()
    except FileNotFoundError as error:
        golog.info("runner.go:522", "failure during llama-server GPU discovery", **attrs, error=error)
        return []
    environment = child_environment(directory, extra)
    golog.trace("llama_server.go:71", "running llama-server for discovery", cmd=server, libDirs=lib_dirs)
    calls: list[Callable[[], Any]] = [
        partial(_system_info, server, environment, lib_dirs, timeout),
        partial(list_devices, server, environment, timeout),
        partial(_native, lib_dirs, environment),
    ]
    try:
        archs, table, facts = side_by_side(calls if directory else [*calls[:2], list])
    except subprocess.TimeoutExpired:
        late = {**attrs, "error": "context deadline exceeded"}
        golog.warn("runner.go:510", "llama-server GPU discovery watchdog timed out", **late)
        golog.info("runner.go:522", "failure during llama-server GPU discovery", **late)
        return []
    golog.debug(
        "llama_server.go:52",
        "llama-server device discovery took",
        duration=gojson.duration(time.monotonic() - start),
        libDirs=lib_dirs,
    )
    golog.debug(
        "runner.go:494", "bootstrap discovery took", duration=gojson.duration(time.monotonic() - start), **attrs
    )
    return [] if directory is None else _correlate(directory, table, facts, archs, lib_dirs)


def _system_info(server: Path, environment: dict[str, str], lib_dirs: list[str], timeout: float) -> set[int] | None:
    """Compiled CUDA architectures, None if the child did not say. It is stopped as soon as it has said it."""
    port = 49152 + random.randrange(16000)
    command = [str(server), "--port", str(port), "--host", "127.0.0.1", "--no-webui", "--offline", "--verbose"]
    lines = 0
    late = threading.Event()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        assert child.stderr

        def stop() -> None:
            late.set()
            child.kill()

        watchdog = threading.Timer(timeout, stop)
        watchdog.start()
        try:
            for data in child.stderr:
                lines += 1
                if golog.enabled(golog.TRACE):
                    golog.raw(data)
                if b"system_info:" in data:
                    child.kill()
                    golog.debug(
                        "llama_server.go:121",
                        "llama-server discovery: stopped subprocess after collecting GPU info",
                        exit="unknown",
                        libDirs=lib_dirs,
                    )
                    found = _ARCHS.search(data.decode(errors="replace"))
                    return {int(arch) for arch in found[1].split(",")} if found else None
        finally:
            watchdog.cancel()
    if late.is_set():
        raise subprocess.TimeoutExpired(command, timeout)
    golog.warn(
        "llama_server.go:135",
        "llama-server discovery: system_info line not found in output - CUDA architecture "
        "filtering will be disabled. If GPU inference fails, this may indicate an incompatible llama-server version.",
        libDirs=lib_dirs,
        lines_captured=lines,
    )
    return None


def list_devices(server: Path, environment: dict[str, str], timeout: float) -> str:
    command = [str(server), "--list-devices", "--offline", "--verbose"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=timeout, check=False)
    if golog.enabled(golog.TRACE):
        golog.raw(done.stdout + done.stderr)
    return done.stdout.decode(errors="replace")


def _native(lib_dirs: list[str], environment: dict[str, str]) -> list[dict[str, Any]]:
    command = [str(lab.executable()), "gpu-discover", *(word for path in lib_dirs for word in ("--lib-dir", path))]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=15, check=False)
    if done.returncode:
        golog.debug(
            "native_probe.go:259",
            "native GPU discovery failed",
            error=f"exit status {done.returncode}",
            stderr=done.stderr.decode(errors="replace"),
            libDirs=lib_dirs,
        )
        return []
    return list(json.loads(done.stdout)["devices"] or [])


def _correlate(
    directory: Path, table: str, facts: list[dict[str, Any]], archs: set[int] | None, lib_dirs: list[str]
) -> list[Device]:
    devices = []
    for library, number, description, total, free in DEVICE.findall(table):
        index = int(number)
        fact = facts[index] if index < len(facts) else {}
        compute = (int(fact.get("compute_major", 0)), int(fact.get("compute_minor", 0)))
        name = f"{library}{number}"
        if library == "CUDA" and archs and compute[0] and compute[0] * 100 + compute[1] * 10 not in archs:
            golog.info(
                "llama_server.go:240",
                "skipping CUDA device — compute capability not in compiled architectures",
                device=name,
                cc=f"{compute[0]}.{compute[1]}",
                archs=",".join(map(str, sorted(archs))),
                libDirs=lib_dirs,
            )
            continue
        devices.append(
            Device(
                index=index,
                filter_id=_user_token(library, index),
                library=library,
                name=name,
                description=description,
                directory=directory,
                compute=compute,
                driver=(int(fact.get("cuda_driver_major", 0)), int(fact.get("cuda_driver_minor", 0))),
                branch=int(fact.get("nvidia_driver_major", 0)),
                pci_id=str(fact.get("device_id", "")),
                total=int(fact.get("total_memory", int(total) << 20)),
                free=int(fact.get("free_memory", int(free) << 20)),
                integrated=bool(fact.get("integrated", False)),
            )
        )
    return devices


def _user_token(library: str, index: int) -> str:
    """The user's own name for the device, by position in his list."""
    tokens = envconfig.var("CUDA_VISIBLE_DEVICES" if library == "CUDA" else "GGML_VK_VISIBLE_DEVICES").split(",")
    return tokens[index].strip() if index < len(tokens) and tokens[index] else str(index)
