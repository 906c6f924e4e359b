"""The host's GPUs through its driver libraries, libcuda.so.1 and libnvidia-ml.so.1."""

from __future__ import annotations

import ctypes
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from . import lab

_CC_MAJOR, _CC_MINOR, _INTEGRATED = 75, 76, 18  # CUdevice_attribute, cuda.h
_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


class DriverError(Exception):
    """The driver cannot be used; the text is that of `ollama gpu-discover`."""


@dataclass(frozen=True)
class Gpu:
    """One GPU. `number` counts all GPUs of the host in PCI order, `total` and `free` are bytes."""

    number: int
    name: str
    uuid: str
    pci_id: str
    compute: tuple[int, int]
    total: int
    free: int
    integrated: bool = False


@dataclass(frozen=True)
class Driver:
    """`cuda` is the driver's CUDA version, `branch` the kernel driver's branch (580) or 0 if NVML did not say."""

    cuda: tuple[int, int]
    branch: int
    gpus: tuple[Gpu, ...]


def read(visible: str | None = None) -> Driver:
    """The GPUs that a process with this CUDA_VISIBLE_DEVICES sees, in its order. Raises DriverError."""
    double = os.environ.get("ONGPU_LAB_FAKE_DRIVER")
    driver = _fake(Path(double)) if double else _real()
    return replace(driver, gpus=_visible(driver.gpus, visible))


def _visible(gpus: tuple[Gpu, ...], visible: str | None) -> tuple[Gpu, ...]:
    """CUDA's rule: indices or UUID prefixes; the list ends at the first that names no GPU."""
    if visible is None or visible == "":
        return gpus if visible is None else ()
    chosen: list[Gpu] = []
    for token in (part.strip() for part in visible.split(",")):
        found = None
        if token.isdigit() and int(token) < len(gpus):
            found = gpus[int(token)]
        elif token.startswith("GPU-"):
            found = next((gpu for gpu in gpus if gpu.uuid.startswith(token)), None)
        if found is None or found in chosen:
            break
        chosen.append(found)
    return tuple(chosen)


def _library(name: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise DriverError(f"dlopen {name}: {error}") from error


def _real() -> Driver:
    # The variable is ours to apply: the same rule must hold whatever the library does with it.
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    try:
        cuda = _library("libcuda.so.1")
    except DriverError as first:
        try:
            cuda = _library("libcuda.so")
        except DriverError as second:
            raise DriverError(f"{first}; {second}") from None
    code = cuda.cuInit(0)
    if code:
        raise DriverError(f"cuInit failed: {code}")
    version, count = ctypes.c_int(), ctypes.c_int()
    cuda.cuDriverGetVersion(ctypes.byref(version))
    code = cuda.cuDeviceGetCount(ctypes.byref(count))
    if code:
        raise DriverError(f"cuDeviceGetCount failed: {code}")
    if count.value == 0:
        raise DriverError(f"cuInit failed: {_NO_DEVICE}")
    branch, free = _nvml()
    gpus = [_cuda_gpu(cuda, ordinal, free) for ordinal in range(count.value)]
    return Driver((version.value // 1000, version.value % 1000 // 10), branch, tuple(gpus))


def _cuda_gpu(cuda: ctypes.CDLL, ordinal: int, free: dict[str, int]) -> Gpu:
    device, value = ctypes.c_int(), ctypes.c_int()
    cuda.cuDeviceGet(ctypes.byref(device), ordinal)

    def attribute(number: int) -> int:
        cuda.cuDeviceGetAttribute(ctypes.byref(value), number, device)
        return value.value

    name, pci = ctypes.create_string_buffer(256), ctypes.create_string_buffer(32)
    uuid, total = ctypes.create_string_buffer(16), ctypes.c_size_t()
    cuda.cuDeviceGetName(name, len(name), device)
    cuda.cuDeviceGetPCIBusId(pci, len(pci), device)
    cuda.cuDeviceGetUuid(uuid, device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(total), device)
    pci_id = _pci(pci.value.decode())
    digits = uuid.raw.hex()
    return Gpu(
        number=ordinal,
        name=name.value.decode(),
        uuid=f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}",
        pci_id=pci_id,
        compute=(attribute(_CC_MAJOR), attribute(_CC_MINOR)),
        total=total.value,
        free=min(free.get(pci_id, total.value), total.value),
        integrated=bool(attribute(_INTEGRATED)),
    )


def _pci(text: str) -> str:
    """`00000000:01:00.0` (NVML) and `0000:01:00.0` (CUDA) are the same slot."""
    domain, _, rest = text.lower().partition(":")
    return f"{domain[-4:].rjust(4, '0')}:{rest}"


class _Memory(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class _Pci(ctypes.Structure):
    """nvmlPciInfo_t of nvml.h."""

    _fields_ = [
        ("legacy", ctypes.c_char * 16),
        ("domain", ctypes.c_uint),
        ("bus", ctypes.c_uint),
        ("device", ctypes.c_uint),
        ("ids", ctypes.c_uint),
        ("subsystem", ctypes.c_uint),
        ("bus_id", ctypes.c_char * 32),
    ]


def _nvml() -> tuple[int, dict[str, int]]:
    """Driver branch, and free bytes by PCI id; zero and nothing if NVML cannot be asked."""
    try:
        nvml = _library("libnvidia-ml.so.1")
    except DriverError:
        return 0, {}
    if nvml.nvmlInit_v2():
        return 0, {}
    version, count = ctypes.create_string_buffer(80), ctypes.c_uint()
    branch = 0
    if nvml.nvmlSystemGetDriverVersion(version, len(version)) == 0:
        branch = int(version.value.partition(b".")[0] or b"0")
    nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    free = {}
    for index in range(count.value):
        handle, pci, memory = ctypes.c_void_p(), _Pci(), _Memory()
        if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)):
            continue
        if nvml.nvmlDeviceGetPciInfo_v3(handle, ctypes.byref(pci)) == 0 and not nvml.nvmlDeviceGetMemoryInfo(
            handle, ctypes.byref(memory)
        ):
            free[_pci(pci.bus_id.decode())] = memory.free
    nvml.nvmlShutdown()
    return branch, free


def _fake(path: Path) -> Driver:
    """A double for tests: a JSON file with what the libraries would answer."""
    facts = json.loads(path.read_text())
    if facts.get("error"):
        raise DriverError(facts["error"])
    held = _held()
    gpus = [
        Gpu(
            number=number,
            name=gpu["name"],
            uuid=gpu["uuid"],
            pci_id=gpu["pci_id"],
            compute=(int(gpu["compute"][0]), int(gpu["compute"][1])),
            total=gpu["total_mib"] << 20,
            free=max(0, gpu["total_mib"] - gpu.get("used_mib", 0) - (0 if gpu.get("constant") else held.get(number, 0)))
            << 20,
            integrated=gpu.get("integrated", False),
        )
        for number, gpu in enumerate(facts["gpus"])
    ]
    return Driver((int(facts["cuda"][0]), int(facts["cuda"][1])), int(facts["branch"]), tuple(gpus))


def _held() -> dict[int, int]:
    """MiB by GPU number that living processes hold, from the directory that the stand-in libraries read."""
    held: dict[int, int] = {}
    directory = lab.run_dir() / "procs"
    for path in directory.iterdir() if directory.is_dir() else ():
        if not Path("/proc", path.name).exists():
            continue
        for line in path.read_text().splitlines()[1:]:
            number, mib, *_ = line.split()
            held[int(number)] = held.get(int(number), 0) + int(mib)
    return held
