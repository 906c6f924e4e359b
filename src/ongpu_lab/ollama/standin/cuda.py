"""The host's GPUs through its driver libraries, libcuda.so.1 and libnvidia-ml.so.1."""

from __future__ import annotations

import ctypes
import os

from .driver import Driver, DriverError, Gpu

_CC_MAJOR, _CC_MINOR, _INTEGRATED = 75, 76, 18  # CUdevice_attribute, cuda.h
_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


def _library(name: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise DriverError(f"dlopen {name}: {error}") from error


def read_driver() -> Driver:
    """All GPUs of the host. Raises DriverError."""
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
