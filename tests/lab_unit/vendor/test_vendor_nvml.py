"""The stand-in libnvidia-ml.so.1 through nvidia-ml-py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from vendor_bench import Machine

TWO = "[gpu0]\nuuid = GPU-0\nname = A\nmemory = 8188,0,334\n[gpu1]\nuuid = GPU-1\nname = B\nmemory = 4096,0,100\n"
READ = """
import json, pynvml
pynvml.nvmlInit()
found = []
for index in range(pynvml.nvmlDeviceGetCount()):
    gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(gpu, version=pynvml.nvmlMemory_v2)
    processes = pynvml.nvmlDeviceGetComputeRunningProcesses(gpu)
    found.append([pynvml.nvmlDeviceGetUUID(gpu), pynvml.nvmlDeviceGetName(gpu), memory.total >> 20,
                  memory.used >> 20, memory.free >> 20, [[p.pid, p.usedGpuMemory >> 20] for p in processes]])
print(json.dumps({"gpus": found, "driver": pynvml.nvmlSystemGetDriverVersion(),
                  "cuda": pynvml.nvmlSystemGetCudaDriverVersion()}))
"""
FAIL = """
import pynvml
try:
    pynvml.nvmlInit()
    pynvml.nvmlDeviceGetHandleByIndex(pynvml.nvmlDeviceGetCount() - 1)
    print("ok")
except pynvml.NVMLError as error:
    print(type(error).__name__)
"""


def hold(machine: Machine, pid: int, gpu: int, mib: int, start: str | None = None) -> None:
    """As a runner says that it holds GPU memory."""
    if start is None:
        start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    (machine.root / "run/procs" / str(pid)).write_text(f"start {start}\n{gpu} {mib} /usr/bin/runner\n")


def test_reads_what_is_configured(machine: Machine) -> None:
    machine.gpus(TWO)
    assert json.loads(machine.python(READ)) == {
        "gpus": [["GPU-0", "A", 8188, 0, 7854, []], ["GPU-1", "B", 4096, 0, 3996, []]],
        "driver": "550.163.01",
        "cuda": 12040,
    }


def test_a_process_holds_memory_while_it_lives(machine: Machine) -> None:
    machine.gpus(TWO)
    runner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    hold(machine, runner.pid, 1, 2000)
    gpus = json.loads(machine.python(READ))["gpus"]
    assert gpus[0][3:] == [0, 7854, []]
    assert gpus[1][3:] == [2000, 1996, [[runner.pid, 2000]]]
    runner.kill()
    runner.wait()
    assert json.loads(machine.python(READ))["gpus"][1][3:] == [0, 3996, []]


def test_a_later_process_with_the_same_number_holds_nothing(machine: Machine) -> None:
    machine.gpus(TWO)
    hold(machine, os.getpid(), 0, 2000, start="12345")
    assert json.loads(machine.python(READ))["gpus"][0][3:] == [0, 7854, []]


def test_a_gpu_that_the_module_does_not_drive_is_not_there(machine: Machine) -> None:
    machine.gpus(
        TWO.replace("name = A", "name = A\nbus_id = 00000000:01:00.0").replace("name = B", "bus_id = 00000000:41:00.0")
    )
    (machine.root / "run/module/bound").write_text("0000:41:00.0\n")
    assert [gpu[0] for gpu in json.loads(machine.python(READ))["gpus"]] == ["GPU-1"]


def test_errors_have_their_codes(machine: Machine) -> None:
    machine.gpus(TWO)
    assert machine.python(FAIL) == "ok"
    machine.gpus(TWO + "error = 15\n")
    assert machine.python(FAIL) == "NVMLError_GpuIsLost"
    machine.gpus(TWO + "[driver]\nerror.nvmlInit = 999\n")
    assert machine.python(FAIL) == "NVMLError_Unknown"
    machine.load("550.54.15")
    machine.gpus(TWO)
    assert machine.python(FAIL) == "NVMLError_LibRmVersionMismatch"
    machine.unload()
    assert machine.python(FAIL) == "NVMLError_DriverNotLoaded"


def test_without_a_lab_host_there_is_no_driver(machine: Machine) -> None:
    """The guard: neither the marker file nor a test's own INI file."""
    assert not Path("/etc/ongpu-lab/host.ini").exists(), "this test cannot tell anything on a lab host"
    (machine.root / "none").mkdir()
    code = f"import os; os.environ.pop('ONGPU_LAB_GPUS')\n{FAIL}"
    assert machine.python(code) == "NVMLError_DriverNotLoaded"


def test_every_public_name_is_exported(machine: Machine, compiled: Path) -> None:
    """A missing one makes the real nvidia-smi give up."""
    from ongpu_lab.vendor.native import public_names

    names = subprocess.run(
        ["nm", "-D", "--defined-only", str(machine.driver / "libnvidia-ml.so.1")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    exported = {line.split()[-1].partition("@")[0] for line in names.splitlines()}
    assert set(public_names()) <= exported
    assert {name for name in exported if not name.startswith("nvml")} == set()
