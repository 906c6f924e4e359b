"""Error codes of CUDA and NVML, whether a program wrote the number or the words.

CUDA: cuda.h and driver_types.h of CUDA 13 (`cuGetErrorString`, `cudaGetErrorString`). NVML: nvml.h.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, Line, words
from ongpu.rules.pattern import Pattern

# cuda.h's and driver_types.h's names, as Python's and Go's bindings print them.
_CUDA_NAMES = {
    2: "CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation", 3: "CUDA_ERROR_NOT_INITIALIZED|cudaErrorInitializationError",
    34: "CUDA_ERROR_STUB_LIBRARY|cudaErrorStubLibrary", 35: "cudaErrorInsufficientDriver",
    46: "CUDA_ERROR_DEVICE_UNAVAILABLE|cudaErrorDevicesUnavailable", 100: "CUDA_ERROR_NO_DEVICE|cudaErrorNoDevice",
    200: "CUDA_ERROR_INVALID_IMAGE|cudaErrorInvalidKernelImage", 209: "CUDA_ERROR_NO_BINARY_FOR_GPU|cudaErrorNoKernelImageForDevice",
    222: "CUDA_ERROR_UNSUPPORTED_PTX_VERSION|cudaErrorUnsupportedPtxVersion", 719: "CUDA_ERROR_LAUNCH_FAILED|cudaErrorLaunchFailure",
    800: "CUDA_ERROR_NOT_PERMITTED|cudaErrorNotPermitted", 801: "CUDA_ERROR_NOT_SUPPORTED|cudaErrorNotSupported",
    802: "CUDA_ERROR_SYSTEM_NOT_READY|cudaErrorSystemNotReady", 803: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH|cudaErrorSystemDriverMismatch",
    804: "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE|cudaErrorCompatNotSupportedOnDevice", 999: r"CUDA_ERROR_UNKNOWN\b|cudaErrorUnknown\b",
}  # fmt: skip
_CUDA_WORDS = {
    2: words("CUDA error: out of memory", "cudaMalloc failed: out of memory"),
    3: words("CUDA: initialization error", "CUDA error: initialization error"),
    34: words("CUDA driver is a stub library"),
    35: words("CUDA driver version is insufficient for CUDA runtime version", "driver on your system is too old"),
    46: words(r"CUDA-capable devices?(?:\(s\) is/| )are busy or unavailable"),
    100: words("no CUDA-capable device is detected", "no nvidia devices detected"),
    101: words("invalid device ordinal"),
    200: words("device kernel image is invalid"),
    209: words("no kernel image is available for execution"),
    222: words("PTX was compiled with an unsupported toolchain"),
    719: words("unspecified launch failure"),
    800: words(r"CUDA\w*(?: error)?:? operation not permitted"),
    801: words("CUDA error: operation not supported", "failed to initialize CUDA: operation not supported"),
    802: words("system not yet initialized"),
    803: words("system has unsupported display driver / cuda driver combination"),
    804: words("forward compatibility was attempted on non supported HW"),
    999: words(
        "unknown error initializing cuda driver",
        r"\bCUDA unknown error\b",
        "(?:CUDA error|failed to initialize CUDA): unknown error",
    ),
}
_NAMED = {code: words(name) for code, name in _CUDA_NAMES.items()}
# cuInit err: 999             cuInit failed: 802 (0.30+)       cudaSetDevice err: 35       cudaGetDeviceCount returned 35
# nvcuda init failure: 3      cuda driver library init failure: 999       cudart init failure: 100
# CUDA error 209 at …         failed to get device context 800   (the next record may follow without a space)
_CUDA_NUMBER = words(
    r"\bcu(?:da)?[A-Z]\w{2,40}(?:\(\w*\))? (?:err(?:or)?|failed|failure|returned(?: error)?|->|=)[: ]{0,4}(\d{1,3})(?!\d)",
    r"(?:cudart|nvcuda|cuda driver library|cudart library) init failure: (\d{1,3})(?!\d)",
    r"CUDA error[: ] ?\(?(\d{1,3})\)?(?= |:|$)",
    r"failed to get device context (\d{1,3}?)(?=time=|\D|$)",
    r"cudaGetDeviceCount returned (\d{1,3})(?!\d)",
    r"CUDA_ERROR_\w+ \((\d{1,3})\)",
)
# nvmlInit_v2 err: 18      nvml vram init failure: 9      nvidia-smi: exit 18 (a snapshot's own words)
_NVML_NUMBER = words(
    r"nvml\w* err(?:or)?[: ]{1,3}(\d{1,3})\b", r"nvml vram init failure: (\d{1,3})\b", r"nvidia-smi: exit (\d{1,3})\b"
)


def cuda_codes(seen: Evidence) -> dict[int, Line]:
    """CUDA error code -> the first line that says it."""
    return seen.once(_cuda_codes)


def _cuda_codes(seen: Evidence) -> dict[int, Line]:
    found: dict[int, Line] = {}
    for hit in seen.all(_CUDA_NUMBER):
        code = int(next(group for group in hit.match.groups() if group))
        if code:
            found.setdefault(code, hit.line)
    for code, pattern in (*_CUDA_WORDS.items(), *_NAMED.items()):
        if line := _said(seen, pattern):
            found.setdefault(code, line)
    return found


def _said(seen: Evidence, pattern: Pattern) -> Line | None:
    """By a program, else as somebody quotes it."""
    return seen.find(pattern) or (seen.told(pattern) if "prose" in seen.kinds else None)


def nvml_codes(seen: Evidence) -> dict[int, Line]:
    """NVML return code, or nvidia-smi's exit code where that is one, -> the first line that says it."""
    return seen.once(_nvml_codes)


def _nvml_codes(seen: Evidence) -> dict[int, Line]:
    found: dict[int, Line] = {}
    for hit in seen.all(_NVML_NUMBER):
        found.setdefault(int(next(group for group in hit.match.groups() if group)), hit.line)
    for code, pattern in _NVML_WORDS.items():
        if line := _said(seen, pattern):
            found.setdefault(code, line)
    return found


# The words that nvidia-smi prints for each code (seen with 470 to 615), those of nvidia-container-cli ("nvml error: …"),
# and nvml.h's names, as Kubernetes' device plugin prints them.
_NVML_WORDS: dict[int, Pattern] = {
    4: words(
        "initialize NVML: Insufficient Permissions",
        "files are readable by current user",
        "nvml error: insufficient permissions",
        "(?:NVML_|NVML: )ERROR_NO_PERMISSION",
    ),
    6: words("^No devices were found", r"\bnvidia-smi\b[^\n.]{0,40}\bNo devices were found"),
    8: words("Insufficient External Power"),
    9: words(
        "couldn't communicate with the NVIDIA driver",
        "initialize NVML: Driver Not Loaded",
        "nvml error: driver not loaded",
        r"\bERROR_DRIVER_NOT_LOADED",
    ),
    11: words("initialize NVML: Interrupt Request Issue"),
    12: words(
        r"couldn't find libnvidia-ml\.so",
        "initialize NVML: NVML Shared Library Not Found",
        "could not load NVML library",
        r"\bERROR_LIBRARY_NOT_FOUND",
    ),
    14: words("infoROM is corrupted", "Corrupted infoROM"),
    15: words("GPU is lost", r"\bERROR_GPU_IS_LOST"),
    16: words("GPU requires reset", "A GPU reset must occur"),
    17: words("GPU access blocked by the operating system"),
    18: words("driver/library version mismatch", r"\bERROR_LIB_RM_VERSION_MISMATCH"),
    999: words("initialize NVML: Unknown Error", "nvml error: unknown error", "(?:NVML_|NVML: )ERROR_UNKNOWN"),
}
