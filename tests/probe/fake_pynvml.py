"""A stand-in for the module pynvml: functions by name, each a value, an exception, or something to call."""

from __future__ import annotations

from ctypes import Structure, c_uint
from types import SimpleNamespace
from typing import Any

WORDS = {
    3: "Not Supported",
    4: "Insufficient Permissions",
    6: "Not Found",
    9: "Driver Not Loaded",
    12: "NVML Shared Library Not Found",
    13: "Function Not Found",
    15: "GPU is lost",
    18: "Driver/library version mismatch",
    999: "Unknown Error",
}
MIB = 1024 * 1024


class NVMLError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(f"nvidia-ml-py's words for {value}")
        self.value = value


def error_string(code: int) -> bytes:
    if code not in WORDS:
        raise NVMLError(13)
    return WORDS[code].encode()


class FabricInfo(Structure):
    _fields_ = (("status", c_uint), ("state", c_uint))


def fabric(_handle: int, info: Any) -> None:
    """Registration with the fabric manager is done."""
    info._obj.state = 3


def mig_device(handle: int, index: int) -> int:
    if index > 1:
        raise NVMLError(6)
    return 1000 + handle * 10 + index


class Pynvml:
    """`answers` by the name without `nvml`; handles are numbers. `calls` = what was asked, in order."""

    NVMLError = NVMLError
    c_nvmlGpuFabricInfo_t = FabricInfo

    def __init__(self, gpus: int = 1, **answers: Any) -> None:
        self.calls: list[str] = []
        self._answers = {
            "Init": None,
            "Shutdown": None,
            "ErrorString": error_string,
            "SystemGetDriverVersion": b"580.95.05",
            "SystemGetNVMLVersion": "13.580.95.05",
            "SystemGetCudaDriverVersion_v2": 13000,
            "DeviceGetCount": gpus,
            "DeviceGetHandleByIndex": lambda index: index,
            "DeviceGetIndex": lambda handle: handle,
            "DeviceGetUUID": lambda handle: f"GPU-{handle:08d}",
            "DeviceGetName": "NVIDIA H100 80GB HBM3",
            "DeviceGetPciInfo": lambda handle: SimpleNamespace(busId=f"00000000:{handle + 1:02X}:00.0"),
            "DeviceGetCudaComputeCapability": (9, 0),
            "DeviceGetPersistenceMode": 1,
            "DeviceGetMigMode": [0, 0],
            "DeviceGetComputeMode": 3,
            "DeviceGetVbiosVersion": "96.00.74.00.01",
            "DeviceGetMemoryInfo": SimpleNamespace(total=80 * 1024 * MIB, used=5 * MIB + 7, free=79 * 1024 * MIB),
            "DeviceGetUtilizationRates": SimpleNamespace(gpu=37, memory=12),
            "DeviceGetPowerUsage": 71234,
            "DeviceGetPowerManagementLimit": 700000,
            "DeviceGetTemperature": 31,
            "DeviceGetClockInfo": lambda handle, kind: {1: 1980, 2: 2619}[kind],
            "DeviceGetMaxClockInfo": lambda handle, kind: {1: 1981, 2: 2620}[kind],
            "DeviceGetCurrentClocksThrottleReasons": 1,
            "DeviceGetCurrPcieLinkGeneration": 5,
            "DeviceGetMaxPcieLinkGeneration": 5,
            "DeviceGetCurrPcieLinkWidth": 16,
            "DeviceGetMaxPcieLinkWidth": 16,
            "DeviceGetTotalEccErrors": 0,
            "DeviceGetRemappedRows": [0, 2, 1, 0],
            "DeviceGetComputeRunningProcesses_v3": [SimpleNamespace(pid=4711, usedGpuMemory=5120 * MIB + 1)],
            "DeviceGetComputeRunningProcesses_v2": [],
            "SystemGetProcessName": b"/usr/local/bin/ollama",
            "DeviceGetPowerManagementDefaultLimit": 700000,
            "DeviceGetPowerManagementLimitConstraints": [200000, 700000],
            "DeviceGetEccMode": [1, 0],
            "DeviceGetGspFirmwareMode": [1, 1],
            "DeviceGetFieldValues": [SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=1))],
            "DeviceGetGpuFabricInfo": fabric,
            "DeviceGetMaxMigDeviceCount": 7,
            "DeviceGetMigDeviceHandleByIndex": mig_device,
            "DeviceGetVirtualizationMode": 0,
        } | answers

    def __getattr__(self, name: str) -> Any:
        answer = self._answers[name.removeprefix("nvml")]

        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            result = answer(*arguments) if callable(answer) else answer
            if isinstance(result, Exception):
                raise result
            return result

        return call
