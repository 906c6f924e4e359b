"""nvidia-smi's answers: recordings of the real program, and every way in which it fails."""

from __future__ import annotations

import pytest

from ongpu.host.gpu import Gpu, GpuProcess, Nvml
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.probe import frame
from ongpu.probe.output import Output, Part
from ongpu.probe.sections import nvml
from tests.probe.sections.samples import output
from tests.probe.shells import RECORDINGS

VERSIONS = ("535", "550")
MIB = 1024 * 1024
ROW = (
    "0, GPU-1, 00000000:01:00.0, 580.95.05, 96.00, Enabled, Disabled, Default, 1000, 10, 990, 5, 20.00, 300.00, 40, "
    "210, 2520, 405, 10501, 0x0000000000000001, 1, 4, 16, 16, [N/A], 300.00, 100.00, 300.00, [N/A], [N/A], [N/A]"
)


def recorded(case: str, version: str) -> Output:
    frames = frame.split((RECORDINGS / "nvidia" / f"{case}.{version}.txt").read_text())
    assert frames.complete
    return frames.outputs["nvml"]


def value(one: Output) -> Nvml:
    found = nvml.parse(one)
    assert isinstance(found, Known), found
    return found.value


def gpus(one: Nvml) -> tuple[Gpu, ...]:
    assert isinstance(one.gpus, Known), one.gpus
    return tuple(one.gpus.value)


def processes(one: Nvml) -> tuple[GpuProcess, ...]:
    assert isinstance(one.processes, Known), one.processes
    return tuple(one.processes.value)


@pytest.mark.parametrize("version", VERSIONS)
def test_two_gpus(version: str) -> None:
    found = value(recorded("two-gpus", version))
    assert (found.exit_code, found.message) == (0, "")
    assert found.driver_version == Known("550.163.01", "nvidia-smi")
    assert found.cuda_version == Known("12.4", "nvidia-smi")
    first, second = gpus(found)
    assert (first.info.index, first.info.uuid) == (0, "GPU-6a3f1c2e-0d4b-4c55-9b1e-111111111111")
    assert (first.info.name, first.info.pci_address) == ("NVIDIA RTX A6000", "0000:01:00.0")
    assert first.info.compute_capability == Known("8.6", "nvidia-smi")
    assert (first.info.persistence, first.info.compute_mode) == (
        Known(True, "nvidia-smi"),
        Known("Default", "nvidia-smi"),
    )
    assert first.info.mig == Absent("nvidia-smi: [N/A]")
    assert first.memory.total_bytes == Known(49140 * MIB, "nvidia-smi")
    used = {"535": 5130, "550": 5131}[version]  # 5130.5 MiB: 550 rounds up
    assert first.memory.used_bytes == Known(used * MIB, "nvidia-smi")
    assert first.performance.power_watts == Known(22.13, "nvidia-smi"), "22126 mW"
    assert isinstance(first.performance.uncorrected_ecc, Absent)
    settings = first.settings
    assert (settings.power_min_watts, settings.power_max_watts) == (
        Known(100.0, "nvidia-smi"),
        Known(300.0, "nvidia-smi"),
    )
    assert (settings.gsp, second.settings.ecc_pending) == (Known(True, "nvidia-smi"), Known(True, "nvidia-smi"))
    for reading in (
        settings.ecc,
        settings.fabric,
        settings.fabric_status,
        settings.mig_devices,
        settings.recovery_action,
    ):
        assert isinstance(reading, Absent), "an RTX A6000 without ECC and MIG; driver 550 has no recovery action"
    assert second.settings.mig_devices == Known((), "nvidia-smi -L")
    assert isinstance(found.license, Absent)
    assert second.info.mig == Known(True, "nvidia-smi")
    assert second.info.compute_mode == Known("Exclusive_Process", "nvidia-smi")
    assert isinstance(second.memory.total_bytes, Absent), "never 0"
    assert second.performance.throttle == Known(0x48, "nvidia-smi")
    assert second.performance.temperature_c == Unreadable("nvidia-smi: [Unknown Error]")
    assert second.performance.uncorrected_ecc == Known(3, "nvidia-smi")
    (process,) = processes(found)
    assert (process.pid, process.name) == (4711, "/usr/local/bin/ollama")
    assert process.used_bytes == Known(5120 * MIB, "nvidia-smi")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("case", "code", "words"),
    [
        ("gpu-lost", 15, "Unable to determine the device handle for GPU1: GPU is lost."),
        ("no-library", 12, "NVIDIA-SMI couldn't find libnvidia-ml.so library"),
        ("no-permission", 4, "Failed to initialize NVML: Insufficient Permissions"),
        ("not-loaded", 9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."),
        ("version-mismatch", 18, "Driver/library version mismatch NVML library version: 550.163"),
        ("unknown-error", 255, "Failed to initialize NVML: Unknown Error"),
    ],
)
def test_a_driver_that_refuses(case: str, code: int, words: str, version: str) -> None:
    found = value(recorded(case, version))
    assert found.exit_code == code
    assert words in found.message
    for reading in (found.gpus, found.processes, found.driver_version, found.cuda_version):
        assert isinstance(reading, Unreadable)
        assert bool(reading.allow) == (code == 4)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_gpus(version: str) -> None:
    found = value(recorded("no-gpus", version))
    assert (found.exit_code, found.message) == (6, "No devices were found")
    assert (gpus(found), processes(found)) == ((), ())
    assert isinstance(found.driver_version, Unreadable)


def test_nodes_of_all_gpus_that_may_not_be_read() -> None:
    """535: the words of "no GPU", but exit code 4."""
    words = "No devices were found. Please make sure /dev/nvidia* files are readable by current user."
    found = value(output("nvml", gpus=Part(4, words)))
    assert found.exit_code == 4
    assert isinstance(found.gpus, Unreadable)
    assert found.gpus.allow


def test_not_installed_and_not_asked() -> None:
    assert nvml.parse(output("nvml", gpus=Part(None, "", "nvidia-smi"))) == Absent("nvidia-smi is not installed")
    found = value(output("nvml", unloaded="no"))
    assert (found.exit_code, found.message) == (9, nvml.NOT_RUN)
    assert isinstance(found.gpus, Unreadable)


@pytest.mark.parametrize("part", [Part(None, "0, GPU-1"), Part(124, ""), Part(137, ""), Part(143, "")])
def test_a_driver_that_hangs_is_unreadable_as_a_whole(part: Part) -> None:
    found = nvml.parse(output("nvml", False, gpus=part))
    assert isinstance(found, Unreadable)
    assert "no answer within" in found.why


def test_the_section_never_ran() -> None:
    found = nvml.parse(Output("nvml"))
    assert isinstance(found, Unreadable)
    assert "before nvidia-smi was asked" in found.why


def test_an_old_nvidia_smi_without_compute_cap() -> None:
    """470 refuses the whole question; the second one leaves the field out."""
    refusal = Part(2, 'Field "compute_cap" is not a valid field to query.')
    found = value(output("nvml", gpus=refusal, core=f"{ROW}, Tesla K80", apps="", banner="CUDA Version: 11.4"))
    (gpu,) = gpus(found)
    assert gpu.info.name == "Tesla K80"
    assert isinstance(gpu.info.compute_capability, Absent)
    assert found.cuda_version == Known("11.4", "nvidia-smi")
    neither = value(output("nvml", gpus=refusal, core=Part(2, 'Field "mig.mode.current" is not a valid field')))
    assert neither.exit_code == 2
    assert isinstance(neither.gpus, Unreadable)


def test_the_banner_since_610() -> None:
    banner = "| NVIDIA-SMI 615.71.09              KMD Version: 615.71.09         CUDA UMD Version: 13.4 |"
    found = value(output("nvml", gpus=f"{ROW}, 9.0, H100", apps="", banner=banner))
    assert found.cuda_version == Known("13.4", "nvidia-smi")
    assert isinstance(
        value(output("nvml", gpus=f"{ROW}, 9.0, H100", apps="", banner=Part(15, ""))).cuda_version, Unreadable
    )


def test_a_comma_in_a_name() -> None:
    (gpu,) = gpus(value(output("nvml", gpus=f"{ROW}, 9.0, NVIDIA H100, rev. 2", apps="", banner="")))
    assert gpu.info.name == "NVIDIA H100, rev. 2"


def test_a_warning_is_kept_as_the_message() -> None:
    warning = "WARNING: infoROM is corrupted at gpu 0000:01:00.0"
    found = value(output("nvml", gpus=f"{ROW}, 9.0, H100\n{warning}", apps="", banner=""))
    assert found.message == warning
    assert len(gpus(found)) == 1


@pytest.mark.parametrize(
    "text",
    ["", "1, 2, 3", f"{ROW}, 9.0, H100\nrubbish", ROW.replace("GPU-1", "[GPU is lost]") + ", 9.0, H100"],
)
def test_half_an_answer_is_none(text: str) -> None:
    """A line that is not understood must not look like a machine with fewer GPUs."""
    assert isinstance(value(output("nvml", gpus=text, apps="", banner="")).gpus, Unreadable)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("[N/A]", Absent),
        ("[Not Supported]", Absent),
        ("[Function Not Found]", Absent),
        ("N/A", Absent),
        ("[Unknown Error]", Unreadable),
        ("[GPU is lost]", Unreadable),
        ("[GPU requires reset]", Unreadable),
        ("[Insufficient Permissions]", Unreadable),
        ("ERR!", Unreadable),
        ("-5", Unreadable),
        ("many", Unreadable),
    ],
)
def test_words_instead_of_numbers(word: str, kind: type) -> None:
    row = ROW.replace(" 1000,", f" {word},") + ", 9.0, H100"
    (gpu,) = gpus(value(output("nvml", gpus=row, apps=f"7, GPU-1, {word}, x", banner="")))
    assert isinstance(gpu.memory.total_bytes, kind)
    (process,) = processes(value(output("nvml", gpus=row, apps=f"7, GPU-1, {word}, x", banner="")))
    assert isinstance(process.used_bytes, kind)


@pytest.mark.parametrize("apps", [Part(None, ""), Part(15, "GPU is lost"), Part(0, "not a row"), Part(124, "")])
def test_processes_that_were_not_listed_are_not_none(apps: Part) -> None:
    found = value(output("nvml", gpus=f"{ROW}, 9.0, H100", apps=apps, banner=""))
    assert isinstance(found.processes, Unreadable)


def test_fields_of_newer_drivers() -> None:
    asked = f"{nvml.SINCE_570},{nvml.SINCE_535},{nvml.FIELDS}"
    row = f"Drain and Reset, 1, No, Enabled, state  In Progress, status N/A, {ROW}, 9.0, NVIDIA H100 80GB HBM3"
    (gpu,) = gpus(value(output("nvml", asked=asked, gpus=row, apps="", banner="", nomig="no", nogridd="no")))
    assert gpu.settings.recovery_action == Known("Drain and Reset", "nvidia-smi")
    assert gpu.settings.remap_pending == Known(True, "nvidia-smi")
    assert gpu.settings.remap_failed == Known(False, "nvidia-smi")
    assert gpu.settings.fabric == Known("In Progress", "nvidia-smi")
    assert isinstance(gpu.settings.fabric_status, Absent)
    refusal = Part(2, 'Field "gpu_recovery_action" is not a valid field to query.')
    plain = output("nvml", asked=asked, gpus=refusal, plain=f"{ROW}, 9.0, H100", apps="", banner="")
    (gpu,) = gpus(value(plain))
    assert isinstance(gpu.settings.recovery_action, Absent)


# driver 525, nvidia-smi -L on an A100 with two instances
LISTED = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-1)
  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 4g.20gb     Device  1: (UUID: MIG-6d4f1efc-42e4-5de3-91c7-45d71c87eb3f)"""


def test_mig_instances() -> None:
    row = f"{ROW}, 8.0, NVIDIA A100".replace("Enabled, Disabled", "Enabled, Enabled")
    (gpu,) = gpus(value(output("nvml", gpus=row, apps="", banner="", mig=LISTED, nogridd="no")))
    assert len(value_or_none(gpu.settings.mig_devices) or ()) == 2
    (gpu,) = gpus(value(output("nvml", gpus=row, apps="", banner="", mig=Part(None, LISTED), nogridd="no")))
    assert isinstance(gpu.settings.mig_devices, Unreadable)


def test_a_vgpu_guest() -> None:
    said = """        Virtualization Mode               : VGPU
        License Status                    : Licensed (Expiry: 2026-12-1 10:10:10 GMT)"""
    found = value(output("nvml", gpus=f"{ROW}, 8.6, NVIDIA A10-24Q", apps="", banner="", nomig="no", licence=said))
    assert found.virtualization == Known("vgpu", "nvidia-smi")
    assert str(value_or_none(found.license)).startswith("Licensed")
