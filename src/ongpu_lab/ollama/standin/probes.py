"""What the probe children print: `ollama gpu-discover`, `llama-server --list-devices`, the start of llama-server."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from . import driver, gojson, lab, layout

_NO_LIBCUDA = "libcuda.so.1: cannot open shared object file: No such file or directory"
BUILD = "build 0 (4df29be4f) with GNU 12.2.0 for Linux x86_64"
_STOPPED = 30
CPU_FEATURES = "SSE3 = 1 | SSSE3 = 1 | AVX = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | BMI2 = 1 | LLAMAFILE = 1 | REPACK = 1"


def backend_dir() -> str:
    """The directory whose library this process loaded, from GGML_BACKEND_PATH: `cuda_v13`; empty if none."""
    path = os.environ.get("GGML_BACKEND_PATH", "")
    return Path(path).parent.name if path else ""


def find_devices(stderr: bool = True) -> tuple[str, list[driver.Gpu]]:
    """Library (`CUDA`, `Vulkan` or empty) and GPUs that this process's backend offers."""
    knobs = lab.Knobs()
    path = os.environ.get("GGML_BACKEND_PATH", "")
    if path and not os.path.exists(path):
        _complain(
            stderr,
            f"E load_backend: failed to load {path}: {path}: cannot open shared object file: No such file or directory",
        )
        return "", []
    directory = backend_dir()
    if knobs.text("discovery", "find") == "nothing" or not directory:
        return "", []
    if directory == "vulkan" and not knobs.flag("discovery", "vulkan"):
        return "", []
    try:
        found = driver.read(os.environ.get("CUDA_VISIBLE_DEVICES") if directory != "vulkan" else None)
    except driver.DriverError as error:
        if str(error).startswith("dlopen"):
            _complain(
                stderr,
                f"load_backend: failed to load {path}: {_NO_LIBCUDA}",
            )
        else:
            _complain(stderr, f"ggml_cuda_init: failed to initialize CUDA: {error}")
        return "", []
    if not layout.can_run(directory, driver_branch(found)):
        return "", []
    return ("Vulkan" if directory == "vulkan" else "CUDA"), list(found.gpus)


def driver_branch(found: driver.Driver) -> int:
    return found.branch


def _complain(stderr: bool, line: str) -> None:
    if stderr:
        print(line, file=sys.stderr)


def slow() -> None:
    """The fault of a slow discovery."""
    delay = lab.Knobs().number("discovery", "delay")
    if delay:
        time.sleep(delay)


def llama_server_probe(words: list[str]) -> int:
    """`llama-server` without a model: its version, its devices, or a start for Ollama's discovery."""
    if "--version" in words:
        print(
            "version: 0.1.0-dev (build 0, commit 4df29be4f)",
            "built with GNU 12.2.0 for Linux x86_64",
            sep="\n",
            file=sys.stderr,
        )
        return 0
    if "--list-devices" in words:
        return list_devices()
    slow()
    for line in (
        f"common_params_print_info: {BUILD}",
        "common_params_print_info: verbosity = 2147483647 (adjust with the `-lv N` CLI arg)",
        system_info(),
    ):
        print(f"0.00.010.000 I cmn  common_param: {line}", file=sys.stderr, flush=True)
    time.sleep(_STOPPED)  # Ollama ends this process when it has seen the last line
    return 0


def list_devices() -> int:
    """`llama-server --list-devices`: always exit status 0."""
    slow()
    library, gpus = find_devices()
    print("Available devices:")
    for index, gpu in enumerate(gpus):
        print(f"  {library}{index}: {gpu.name} ({gpu.total >> 20} MiB, {gpu.free >> 20} MiB free)")
    if not gpus:
        print("  (none)")
    return 0


def system_info() -> str:
    threads = os.cpu_count() or 1
    archs = layout.ARCHS.get(backend_dir())
    cuda = ""
    if archs and find_devices(stderr=False)[1]:
        cuda = f"CUDA : ARCHS = {','.join(map(str, archs))} | USE_GRAPHS = 1 | PEER_MAX_BATCH_SIZE = 128 | "
    used = max(1, threads // 2)
    return f"system_info: n_threads = {used} (n_threads_batch = {used}) / {threads} | {cuda}CPU : {CPU_FEATURES} | "


def gpu_discover(arguments: list[str]) -> int:
    """`ollama gpu-discover --lib-dir BASE --lib-dir DIRECTORY`: JSON on standard output."""
    directories = [arguments[i + 1] for i, word in enumerate(arguments[:-1]) if word == "--lib-dir"]
    directories += [word.partition("=")[2] for word in arguments if word.startswith("--lib-dir=")]
    if directories and not os.path.exists(os.path.join(directories[0], "libggml-base.so")):
        path = os.path.join(directories[0], "libggml-base.so")
        print(
            f"Error: dlopen {path}: {path}: cannot open shared object file: No such file or directory", file=sys.stderr
        )
        return 1
    backend = layout.backend_library(Path(directories[-1])) if len(directories) > 1 else None
    if backend is None or lab.Knobs().text("discovery", "find") == "nothing":
        print('{"devices":null}')
        return 0
    os.environ["GGML_BACKEND_PATH"] = str(backend)
    try:
        found = driver.read(os.environ.get("CUDA_VISIBLE_DEVICES"))
    except driver.DriverError as error:
        if backend.parent.name == "vulkan":
            print('{"devices":null}')
            return 0
        if str(error).startswith("dlopen"):
            print(
                f"load_backend: failed to load {backend}: {_NO_LIBCUDA}",
                file=sys.stderr,
            )
        print(f"Error: {error}", file=sys.stderr)
        return 1
    library, gpus = find_devices()
    print(gojson.dumps({"devices": [_entry(library, i, gpu, found) for i, gpu in enumerate(gpus)] or None}))
    return 0


def _entry(library: str, index: int, gpu: driver.Gpu, found: driver.Driver) -> dict[str, Any]:
    """Fields in the real order; those that are zero are left out, as Go's omitempty does."""
    entry: dict[str, Any] = {
        "library": library,
        "index": index,
        "index_matches_backend": True,
        "name": f"{library}{index}",
        "description": gpu.name,
        "device_id": gpu.pci_id,
        "integrated": gpu.integrated,
        "integrated_known": True,
        "total_memory": gpu.total,
        "free_memory": gpu.free,
    }
    if library == "CUDA":
        entry |= {
            "compute_major": gpu.compute[0],
            "compute_minor": gpu.compute[1],
            "cuda_driver_major": found.cuda[0],
            "cuda_driver_minor": found.cuda[1],
            "nvidia_driver_major": found.branch,
        }
    return {key: value for key, value in entry.items() if value or key == "index"}
