"""The stand-in libcuda.so.1: it starts where a CUDA program would start, and fails where one would fail."""

from __future__ import annotations

import pytest
from vendor_bench import Machine

GPUS = (
    "[gpu0]\nuuid = GPU-aaaaaaaa-0000-0000-0000-000000000000\nmemory = 8188,0,334\nbus_id = 00000000:01:00.0\n"
    "[gpu1]\nuuid = GPU-bbbbbbbb-0000-0000-0000-000000000000\nmemory = 4096,0,96\nbus_id = 00000000:41:00.0\n"
)
START = """
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
code, count = cuda.cuInit(0), ctypes.c_int(-1)
if code == 0:
    cuda.cuDeviceGetCount(ctypes.byref(count))
names = []
for ordinal in range(count.value):
    name = ctypes.create_string_buffer(32)
    cuda.cuDeviceGetPCIBusId(name, 32, ordinal)
    names.append(name.value.decode())
print(code, *names)
"""


def test_finds_devices_and_memory(machine: Machine) -> None:
    machine.gpus(GPUS)
    assert machine.python(START) == "0 0000:01:00.0 0000:41:00.0"
    memory = """
size = ctypes.c_size_t()
cuda.cuDeviceTotalMem_v2(ctypes.byref(size), 1)
print(size.value >> 20)
"""
    assert machine.python(START + memory).splitlines()[-1] == "4000"


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("", "100"),
        ("-1", "100"),
        ("1", "0 0000:41:00.0"),
        ("1,0", "0 0000:41:00.0 0000:01:00.0"),
        ("0,7,1", "0 0000:01:00.0"),
        ("GPU-bb", "0 0000:41:00.0"),
        ("GPU-", "100"),
        ("0,0", "100"),
    ],
)
def test_visible_devices(machine: Machine, visible: str, expected: str) -> None:
    machine.gpus(GPUS)
    assert machine.python(START, CUDA_VISIBLE_DEVICES=visible) == expected


def test_fails_as_a_wrong_setup_does(machine: Machine) -> None:
    machine.gpus(GPUS)
    machine.nodes("nvidiactl", "nvidia0", "nvidia1")
    assert machine.python(START) == "999"  # no /dev/nvidia-uvm: unknown error
    machine.nodes("nvidia0", "nvidia1", "nvidia-uvm")
    assert machine.python(START) == "100"  # no /dev/nvidiactl
    machine.nodes("nvidiactl", "nvidia1", "nvidia-uvm")
    assert machine.python(START) == "0 0000:41:00.0"
    machine.load("550.54.15")
    assert machine.python(START) == "803"
    machine.unload()
    assert machine.python(START) == "100"
