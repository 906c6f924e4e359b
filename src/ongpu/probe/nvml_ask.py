"""One question to NVML at a time, as a reading: what it answers, what a GPU does not have, what went wrong. Pure: the
module `pynvml` (nvidia-ml-py) is handed in."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import byref
from typing import Any, TypeVar

from ongpu.host.reading import Absent, Known, Reading, Unreadable

T = TypeVar("T")
Pynvml = Any  # the module, or whatever has its functions; it ships without types

SOURCE = "NVML"
PERMISSION = "run the probe as root (sudo), or let the user read and write /dev/nvidia*"
NO_PERMISSION, NOT_FOUND, LIBRARY_NOT_FOUND, VERSION_MISMATCH = 4, 6, 12, 18
NO_FUNCTION = 13
NOT_SUPPORTED = 3
HAS_NONE = {NOT_SUPPORTED, NO_FUNCTION}  # not supported; a function that this driver's library does not have yet
ODD = (ValueError, TypeError, IndexError, AttributeError)  # an answer of another kind than the header says


class Asker:
    """One GPU's getters by name: `ask("Name", convert, *arguments)` is nvmlDeviceGetName as a reading."""

    no_function = "NVML: Function Not Found"

    def __init__(self, nvml: Pynvml, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle

    def __call__(self, name: str, convert: Callable[[Any], T], *arguments: int) -> Reading[T]:
        function = getattr(self._nvml, f"nvmlDeviceGet{name}", None)
        if function is None:  # an older nvidia-ml-py
            return Absent(self.no_function)
        return ask(self._nvml, lambda: convert(function(self._handle, *arguments)))

    def field(self, number: int, convert: Callable[[int], T]) -> Reading[T]:
        """One value of nvmlDeviceGetFieldValues, which has a return code of its own."""

        def get() -> T:
            (found,) = self._nvml.nvmlDeviceGetFieldValues(self._handle, [number])
            if found.nvmlReturn:
                raise self._nvml.NVMLError(found.nvmlReturn)
            return convert(int(found.value.uiVal))

        return ask(self._nvml, get)

    def fabric(self, convert: Callable[[Any], T]) -> Reading[T]:
        """State 0 = this GPU belongs to no NVSwitch fabric: Absent, as nvidia-smi's N/A."""

        def get() -> T:
            info = self._nvml.c_nvmlGpuFabricInfo_t()
            self._nvml.nvmlDeviceGetGpuFabricInfo(self._handle, byref(info))
            if not info.state:
                raise self._nvml.NVMLError(NOT_SUPPORTED)
            return convert(info)

        return ask(self._nvml, get)

    def fabric_words(self, info: Any) -> str:
        return "Success" if info.status == 0 else error_words(self._nvml, self._nvml.NVMLError(info.status))

    def mig_devices(self) -> Reading[tuple[str, ...]]:
        def get() -> tuple[str, ...]:
            found = []
            for index in range(int(self._nvml.nvmlDeviceGetMaxMigDeviceCount(self._handle))):
                try:
                    device = self._nvml.nvmlDeviceGetMigDeviceHandleByIndex(self._handle, index)
                except self._nvml.NVMLError as error:
                    if error.value != NOT_FOUND:
                        raise
                else:
                    found.append(as_text(self._nvml.nvmlDeviceGetUUID(device)))
            return tuple(found)

        return ask(self._nvml, get)


def ask(nvml: Pynvml, get: Callable[[], T]) -> Reading[T]:
    try:
        return Known(get(), SOURCE)
    except nvml.NVMLError as error:
        words = f"NVML: {error_words(nvml, error)}"
        return Absent(words) if error.value in HAS_NONE else Unreadable(words, allow_for(error.value))
    except ODD as error:
        return Unreadable(f"NVML: unexpected answer: {error}"[:200])


def error_words(nvml: Pynvml, error: Any) -> str:
    """The library's own words: those of nvidia-ml-py differ from nvidia-smi's."""
    try:
        return as_text(nvml.nvmlErrorString(error.value))
    except nvml.NVMLError:
        return str(error)


def allow_for(code: int) -> str:
    return PERMISSION if code == NO_PERMISSION else ""


def as_text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def watts(milliwatts: int) -> float:
    return round(milliwatts / 1000, 2)
