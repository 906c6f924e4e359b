"""Discovery: which library and which GPUs the server finds, and what it says about it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from standin_bench import RTX_4060, Bench
from standin_models import tiny

ALL = ("cuda_v12", "cuda_v13", "vulkan")
PASCAL: dict[str, Any] = RTX_4060 | {
    "name": "NVIDIA GeForce GTX 1080",
    "compute": [6, 1],
    "pci_id": "0000:02:00.0",
    "uuid": "GPU-99999999-2222-3333-4444-555555555555",
}
SECOND: dict[str, Any] = RTX_4060 | {"pci_id": "0000:02:00.0", "uuid": "GPU-22222222-2222-3333-4444-555555555555"}


@pytest.fixture
def full(tmp_path: Path) -> Any:
    bench = Bench(tmp_path, ALL)
    yield bench
    bench.close()


def _found(log: str) -> list[tuple[str, str, str]]:
    """Library, directories and PCI id of each `inference compute` line."""
    lines = [line for line in log.splitlines() if 'msg="inference compute"' in line]
    return [re.search(r"library=(\S+).*libdirs=(\S+).*pci_id=(\S+)", line).groups() for line in lines]  # type: ignore[misc, union-attr]


def test_newest_cuda_library_wins(full: Bench) -> None:
    log = full.serve().log()
    assert _found(log) == [("CUDA", "ollama,cuda_v13", "0000:01:00.0")]
    line = next(line for line in log.splitlines() if "inference compute" in line)
    assert re.sub(r"^time=\S+ ", "", line) == (
        'level=INFO source=types.go:32 msg="inference compute" id=0 filter_id=0 library=CUDA compute=8.9 name=CUDA0 '
        'description="NVIDIA GeForce RTX 4060" libdirs=ollama,cuda_v13 driver=13.0 pci_id=0000:01:00.0 type=discrete '
        'total="8.0 GiB" available="7.6 GiB"'
    )


@pytest.mark.parametrize(
    ("branch", "gpu", "found", "warning"),
    [
        (570, RTX_4060, "cuda_v12", ""),
        (550, RTX_4060, "cuda_v12", ""),
        (535, RTX_4060, "", 'required_driver="550 or newer"'),
        (550, PASCAL, "", 'required_driver="570 or newer"'),
        (580, PASCAL, "cuda_v12", ""),
    ],
)
def test_driver_floors(full: Bench, branch: int, gpu: dict[str, Any], found: str, warning: str) -> None:
    full.gpus(gpu, branch=branch, cuda=(12, 8))
    log = full.serve().log()
    if found:
        assert [entry[1] for entry in _found(log)] == [f"ollama,{found}"]
    else:
        assert 'msg="NVIDIA driver too old"' in log
        assert "id=cpu library=cpu" in log
    assert warning in log


def test_old_card_pulls_the_others_to_the_old_library(full: Bench) -> None:
    full.gpus(RTX_4060, PASCAL)
    assert {entry[1:] for entry in _found(full.serve().log())} == {
        ("ollama,cuda_v12", "0000:01:00.0"),
        ("ollama,cuda_v12", "0000:02:00.0"),
    }


def test_vulkan_takes_over_when_cuda_was_rejected(full: Bench) -> None:
    full.gpus(RTX_4060, branch=535, cuda=(12, 2))
    full.knobs("[discovery]\nvulkan = yes\n")
    assert [entry[0] for entry in _found(full.serve().log())] == ["Vulkan"]
    assert "id=cpu" in full.serve(OLLAMA_VULKAN="0").log()


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        ("1", ["0000:02:00.0"]),
        (SECOND["uuid"], ["0000:02:00.0"]),
        ("0,1", ["0000:01:00.0", "0000:02:00.0"]),
        ("-1", []),
    ],
)
def test_visible_devices(bench: Bench, visible: str, found: list[str]) -> None:
    bench.gpus(RTX_4060, SECOND)
    bench.install(tiny())
    server = bench.serve(CUDA_VISIBLE_DEVICES=visible)
    log = server.log()
    assert f'msg="user overrode visible devices" CUDA_VISIBLE_DEVICES={visible}' in log
    assert sorted(entry[2] for entry in _found(log) if entry[0] == "CUDA") == found
    if found:
        server.post("/api/generate", {"model": "tiny", "stream": False})
        ((_, text),) = bench.held.items()
        assert text.splitlines()[1].split()[0] == ("0" if "0" in visible.split(",") else "1")


@pytest.mark.parametrize("library", ["cuda_v11", "cpu_avx2", "cuda"])
def test_library_that_does_not_exist_means_cpu_without_a_word(bench: Bench, library: str) -> None:
    log = bench.serve(OLLAMA_LLM_LIBRARY=library).log()
    assert "id=cpu library=cpu" in log
    assert "WARN" not in log


def test_discovery_that_finds_nothing(bench: Bench) -> None:
    bench.knobs("[discovery]\nfind = nothing\n")
    assert "id=cpu library=cpu" in bench.serve().log()


def test_missing_libcuda_is_said_at_debug_level_only(bench: Bench) -> None:
    missing = "cannot open shared object file: No such file or directory"
    bench.gpus(error=f"dlopen libcuda.so.1: libcuda.so.1: {missing}; dlopen libcuda.so: libcuda.so: {missing}")
    assert "libcuda.so" not in bench.serve().log()
    lines = bench.serve(OLLAMA_DEBUG="1").log().splitlines()
    (line,) = [line for line in lines if "native GPU discovery failed" in line]
    assert 'level=DEBUG source=native_probe.go:259 msg="native GPU discovery failed" error="exit status 1"' in line
    assert f"Error: dlopen libcuda.so.1: libcuda.so.1: {missing}; dlopen libcuda.so: libcuda.so: {missing}\\n" in line


def test_trace_passes_the_probes_output_on(bench: Bench) -> None:
    log = bench.serve(OLLAMA_DEBUG="2").log()
    assert "  CUDA0: NVIDIA GeForce RTX 4060 (8188 MiB, 7788 MiB free)" in log
    assert "ARCHS = 750,800" in log
    assert "OLLAMA_DEBUG:DEBUG-4 " in log


def test_gpu_discover_command(bench: Bench) -> None:
    base = str(bench.library)
    assert bench.run("gpu-discover", "--lib-dir", base).stdout == '{"devices":null}\n'
    found = json.loads(bench.run("gpu-discover", "--lib-dir", base, "--lib-dir", f"{base}/cuda_v13").stdout)["devices"]
    assert [
        (gpu["library"], gpu["index"], gpu["device_id"], gpu["compute_major"], gpu["nvidia_driver_major"])
        for gpu in found
    ] == [("CUDA", 0, "0000:01:00.0", 8, 580)]
    broken = bench.run("gpu-discover", "--lib-dir", "/nonexistent")
    path = "/nonexistent/libggml-base.so"
    assert (broken.returncode, broken.stderr) == (
        1,
        f"Error: dlopen {path}: {path}: cannot open shared object file: No such file or directory\n",
    )
    bench.gpus(error="cuInit failed: 999")
    failed = bench.run("gpu-discover", "--lib-dir", base, "--lib-dir", f"{base}/cuda_v13")
    assert (failed.returncode, failed.stderr) == (1, "Error: cuInit failed: 999\n")
