"""A CUDA initialisation as the service's user: the one test that a missing fabric manager, a missing nvidia-uvm and a
node that the user may not open do not pass, while nvidia-smi is fine.

Codes: CUDA driver API, cudaError_enum (cuda.h).
"""

from __future__ import annotations

from dataclasses import dataclass

# Runs under any Python 3, isolated; prints one line: `cuda CUINIT_CODE DEVICES LIBRARY` or `load WHY`. cuInit makes
# no context and takes no GPU memory. The name is by which a later look finds one that hangs in the driver.
HELPER = """import ctypes
try:
    open("/proc/self/comm", "w").write("ongpu-cuda")
except OSError:
    pass
try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError as error:
    print("load", error)
else:
    code, count = cuda.cuInit(0), ctypes.c_int(0)
    if code == 0:
        code = cuda.cuDeviceGetCount(ctypes.byref(count))
    paths = [line.split()[-1] for line in open("/proc/self/maps") if "/libcuda.so" in line]
    print("cuda", code, count.value, paths[0] if paths else "-")
"""

NO_TOOL = "install python3"  # what would allow the look where there is nothing to ask CUDA with

# Code -> name without CUDA_ERROR_, what it means on a host like this one
MEANINGS: dict[int, tuple[str, str]] = {
    1: ("INVALID_VALUE", "the library does not understand the question"),
    2: ("OUT_OF_MEMORY", "the driver has no memory left"),
    3: ("NOT_INITIALIZED", "the driver cannot start; with healthy GPUs often a fault of nvidia-uvm (HMM)"),
    34: ("STUB_LIBRARY", "the libcuda that is found is a toolkit's stub, not the driver's"),
    46: ("DEVICE_UNAVAILABLE", "another program has the GPU for itself (compute mode)"),
    100: ("NO_DEVICE", "CUDA sees no GPU: /dev/nvidia* is missing or closed to this user, or all GPUs are hidden"),
    101: ("INVALID_DEVICE", "a GPU cannot be opened: look at the permissions of /dev/nvidia*"),
    304: ("OPERATING_SYSTEM", "the system refuses: look at the permissions of /dev/nvidia* and at nvidia-uvm"),
    802: ("SYSTEM_NOT_READY", "the NVSwitch fabric is not set up: fabric manager does not run in the driver's version"),
    803: ("SYSTEM_DRIVER_MISMATCH", "libcuda and the kernel module are of different drivers"),
    804: ("COMPAT_NOT_SUPPORTED_ON_DEVICE", "a cuda-compat libcuda is found, which this GPU does not allow"),
    999: ("UNKNOWN", "nvidia-uvm is not loaded, or is broken (it often is after a suspend)"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaInit:
    """`code` of cuInit or cuDeviceGetCount (0 = fine), the `devices` that CUDA sees, the `library` that was loaded, and
    the `user` who asked."""

    code: int
    devices: int
    library: str
    user: str

    @property
    def meaning(self) -> str:
        """`CUDA error 802 (SYSTEM_NOT_READY): …`; empty when it worked."""
        return meaning(self.code) if self.code else ""


def meaning(code: int) -> str:
    """A code of the CUDA driver API in words."""
    name, words = MEANINGS.get(code, ("", "see cuda.h"))
    return f"CUDA error {code}{f' ({name})' if name else ''}: {words}"
