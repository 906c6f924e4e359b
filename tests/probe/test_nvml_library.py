"""The lab's libnvidia-ml.so.1, asked through the real nvidia-ml-py and through nvidia-smi: the same values."""

from __future__ import annotations

import shutil
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest

from ongpu.host.gpu import Nvml
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.probe import frame, local
from ongpu.probe.script import build
from ongpu.probe.sections import nvml as section
from tests.probe.shells import RECORDINGS, run, tool

DRIVER = "550.163.01"
HEALTHY = """
[defaults]
name = NVIDIA RTX A6000
compute_cap = 8.6
persistence = 1
power_mw = 22120
[gpu0]
uuid = GPU-6a3f1c2e-0d4b-4c55-9b1e-111111111111
bus_id = 00000000:01:00.0
memory = 49140,10,300
utilization = 37,12
process = 4711, 5120.5, /usr/local/bin/ollama
process = 4712, 12, /usr/bin/python3
[gpu1]
uuid = GPU-6a3f1c2e-0d4b-4c55-9b1e-222222222222
bus_id = 00000000:41:00.0
ecc = 1
ecc_uncorrected = 3
mig = 1,1
utilization = unsupported
compute_mode = 3
throttle = 0x48
memory = unsupported
error.nvmlDeviceGetTemperature = 999
"""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    from ongpu_lab.vendor.native import Compiler

    directory = tmp_path_factory.mktemp("nvml")
    with Compiler() as compiler:
        compiler.nvml(DRIVER, directory / "libnvidia-ml.so.1")
        compiler.smi(DRIVER, directory / "smi")
    return directory


class Card:
    """The simulated GPUs of one test, asked through nvidia-ml-py and through nvidia-smi."""

    def __init__(self, root: Path, libraries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._root = root
        for name, text in (("module/version", DRIVER), ("module/flavour", "proprietary"), ("gpus.ini", HEALTHY)):
            self.put(name, text)
        for name in ("nvidiactl", "nvidia0", "nvidia1"):
            self.put(f"dev/{name}", "")
        settings = {
            "ONGPU_LAB_GPUS": root / "gpus.ini",
            "ONGPU_LAB_RUN": root,
            "ONGPU_LAB_DEV": root / "dev",
            "LD_LIBRARY_PATH": libraries,
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, str(value))
        exports = "; ".join(f"export {name}={value}" for name, value in settings.items())
        tool(root / "tools", "nvidia-smi", f'{exports}; exec {libraries}/smi "$@"')

    def put(self, name: str, text: str) -> None:
        path = self._root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def pynvml(self) -> Nvml:
        found = local.read_nvml()
        assert isinstance(found, Known), found
        assert found.source == "NVML"
        return found.value

    def smi(self) -> Nvml:
        self.put("tools/version", "570.86.15")  # the newest fields are asked for
        script = build((section.SECTION,)).replace("/sys/module/nvidia ", "/ ")
        script = script.replace("/sys/module/nvidia/version", str(self._root / "tools/version"))
        found = section.parse(frame.split(run(("sh",), script, self._root / "tools")).outputs["nvml"])
        assert isinstance(found, Known), found
        return found.value


@pytest.fixture
def card(tmp_path: Path, libraries: Path, monkeypatch: pytest.MonkeyPatch) -> Card:
    return Card(tmp_path, libraries, monkeypatch)


def plain(value: object) -> object:
    """The value without who said so and in which words: states and values only."""
    match value:
        case Known(value=inner):
            return plain(inner)
        case Absent():
            return "absent"
        case Unreadable():
            return "unreadable"
        case tuple():
            return [plain(one) for one in value]
        case _ if is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value


def test_nvml_and_nvidia_smi_give_the_same_value(card: Card) -> None:
    through_library, through_tool = card.pynvml(), card.smi()
    # Without a vGPU guest's licence daemon nvidia-smi -q is not asked.
    assert (plain(through_library.virtualization), plain(through_tool.virtualization)) == ("none", "absent")
    through_tool = replace(through_tool, virtualization=through_library.virtualization)
    assert plain(through_library) == plain(through_tool)
    assert isinstance(through_library.gpus, Known)
    first, second = through_library.gpus.value
    assert first.memory.used_bytes == Known((10 + 5120 + 12) * 1024 * 1024, "NVML")
    assert isinstance(second.memory.total_bytes, Absent)
    assert second.performance.throttle == Known(0x48, "NVML")
    assert isinstance(second.performance.temperature_c, Unreadable)


def test_no_gpus(card: Card) -> None:
    card.put("gpus.ini", "[driver]\n")
    through_library, through_tool = card.pynvml(), card.smi()
    assert plain(through_library.gpus) == plain(through_tool.gpus) == []
    assert through_library.exit_code == through_tool.exit_code == 6
    assert through_library.message in through_tool.message


@pytest.mark.parametrize("code", [4, 9, 15, 18])
def test_a_driver_that_refuses(card: Card, code: int) -> None:
    card.put("gpus.ini", HEALTHY + f"[driver]\nerror.nvmlInit = {code}\n")
    through_library, through_tool = card.pynvml(), card.smi()
    assert through_library.exit_code == through_tool.exit_code == code
    assert plain(through_library) == plain(through_tool) | {"message": through_library.message}  # type: ignore[operator]
    if code in (4, 18):
        assert through_library.message == through_tool.message


def test_a_lost_gpu(card: Card) -> None:
    card.put("gpus.ini", HEALTHY.replace("[gpu1]", "[gpu1]\nerror = 15"))
    through_library, through_tool = card.pynvml(), card.smi()
    assert through_library.exit_code == through_tool.exit_code == 15
    assert isinstance(through_library.gpus, Unreadable)
    assert isinstance(through_tool.gpus, Unreadable)


def test_another_library_than_the_loaded_module(card: Card) -> None:
    card.put("module/version", "535.261.03")
    assert card.pynvml().exit_code == card.smi().exit_code == 18


@pytest.mark.parametrize("version", ["535", "550"])
def test_the_real_nvidia_smi_gave_the_same_value(card: Card, version: str) -> None:
    """Recorded with the same library and the same GPUs. Each rounds to whole MiB in its own way."""
    card.put("gpus.ini", (RECORDINGS / "nvidia" / "two-gpus.ini").read_text())
    frames = frame.split((RECORDINGS / "nvidia" / f"two-gpus.{version}.txt").read_text())
    recorded = section.parse(frames.outputs["nvml"])
    assert isinstance(recorded, Known)
    ours, theirs = card.pynvml(), recorded.value
    assert isinstance(ours.gpus, Known)
    assert isinstance(theirs.gpus, Known)
    for mine, real in zip(ours.gpus.value, theirs.gpus.value, strict=True):
        assert plain(mine.info) == plain(real.info)
        assert plain(mine.performance) == plain(real.performance)
        for name in ("total_bytes", "used_bytes", "free_bytes"):
            have, want = getattr(mine.memory, name), getattr(real.memory, name)
            assert type(have) is type(want)
            assert isinstance(have, Absent) or 0 <= want.value - have.value <= 1024 * 1024
    assert plain(ours.processes) == plain(theirs.processes)
    assert plain((ours.driver_version, ours.cuda_version)) == plain((theirs.driver_version, theirs.cuda_version))
