"""Every recording of real NVIDIA programs and kernel modules: what it was made to show is what is read from it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ongpu.host.boot import Kernels
from ongpu.host.gpu import Gpu, Nvml
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.probe import frame
from ongpu.probe.output import Output, Part
from ongpu.probe.sections import kernel_log, kernels, module, nvml
from tests.probe.shells import RECORDINGS

VERSIONS = ("535", "550")
CASES = sorted(path.stem for path in (RECORDINGS / "nvidia-contract").glob("*.ini"))

# Case -> exit code, words of the message, number of GPUs (None: not known)
REFUSALS: dict[str, tuple[int, str, int | None]] = {
    "driver-library-mismatch": (18, "Driver/library version mismatch", None),
    "driver-not-loaded": (9, "couldn't communicate with the NVIDIA driver", None),
    "gpu1-lost": (15, "GPU1: GPU is lost", None),
    "insufficient-permissions": (4, "Insufficient Permissions", None),
    "no-gpus": (6, "No devices were found", 0),
    "unknown-error": (255, "Unknown Error", None),
}
# Case -> reading of the second GPU -> its value, or the kind of reading
READINGS: dict[str, dict[str, Any]] = {
    "healthy-2gpu": {
        "performance.temperature_c": 41, "performance.throttle": 0, "performance.uncorrected_ecc": 0,
        "settings.ecc": False, "settings.ecc_pending": False, "info.persistence": True, "info.mig": Absent,
        "settings.power_min_watts": 100.0, "settings.power_max_watts": 300.0, "settings.power_default_watts": 300.0,
        "settings.gsp": True, "settings.fabric": Absent, "settings.recovery_action": Absent,
        "settings.mig_devices": Absent, "memory.total_bytes": 49140 << 20,
    },
    "ecc-uncorrected": {
        "performance.uncorrected_ecc": 3, "settings.ecc": True, "settings.ecc_pending": True,
        "performance.temperature_c": 41,
    },
    "hw-slowdown": {"performance.throttle": 0x8, "performance.temperature_c": 91},
    "temperature-error": {"performance.temperature_c": Unreadable, "performance.throttle": 0},
}  # fmt: skip


def recorded(case: str, version: str) -> Nvml:
    frames = frame.split((RECORDINGS / "nvidia" / "contract" / f"{case}.{version}.txt").read_text())
    assert frames.complete
    found = nvml.parse(frames.outputs["nvml"])
    assert isinstance(found, Known)
    return found.value


def reading(gpu: Gpu, path: str) -> Any:
    part, _, name = path.partition(".")
    return getattr(getattr(gpu, part), name)


def test_every_case_is_expected() -> None:
    assert sorted({*REFUSALS, *READINGS}) == CASES


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case: str, version: str) -> None:
    code, words, count = REFUSALS[case]
    found = recorded(case, version)
    assert found.exit_code == code
    assert words in found.message
    gpus = value_or_none(found.gpus)
    assert (None if gpus is None else len(gpus)) == count
    assert isinstance(found.driver_version, Unreadable)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", READINGS)
def test_readings(case: str, version: str) -> None:
    found = recorded(case, version)
    assert (found.exit_code, found.message, value_or_none(found.cuda_version)) == (0, "", "12.4")
    (process,) = value_or_none(found.processes) or ()
    assert (process.pid, process.name, value_or_none(process.used_bytes)) == (4711, "/usr/local/bin/ollama", 5120 << 20)
    _, gpu = value_or_none(found.gpus) or ()
    for path, expected in READINGS[case].items():
        one = reading(gpu, path)
        if isinstance(expected, type):
            assert isinstance(one, expected), path
        else:
            assert one == Known(expected, "nvidia-smi"), path


# --- kernel modules


def commands(name: str) -> dict[str, Part]:
    """Command -> its output and exit code."""
    text = (RECORDINGS / "driver" / f"{name}.txt").read_text()
    pieces = re.split(r"^(?:@@ )?\$ (.*)\n", text, flags=re.MULTILINE)[1:]
    found = {}
    for command, said in zip(pieces[::2], pieces[1::2], strict=True):
        code = re.search(r"^(?:@@ )?rc=(\d+)$", said, re.MULTILINE)  # not after a pipe
        found[command] = Part(int(code[1]) if code else 0, said[: code.start() if code else None].strip("\n"))
    return found


def look(release: str, **parts: str | Part) -> Kernels:
    whole = {"running": release, "kernels": f"{release} yes yes", "found": "", "tool": "/usr/bin/kmod", "dkms": ""}
    given = {name: part if isinstance(part, Part) else Part(0, part) for name, part in (whole | parts).items()}
    found = kernels.parse(Output("kernels", given, True))
    assert isinstance(found, Known)
    return found.value


def test_a_module_that_dkms_built() -> None:
    said = commands("dkms-installed.535")
    (path,) = re.findall(r"^filename: +(\S+)$", said["modinfo -k 6.1.0-56-amd64 nvidia-current"].text, re.MULTILINE)
    tree = "installed nvidia-current 535.309.01 6.1.0-56-amd64"  # kernel-… -> 535.309.01/6.1.0-56-amd64/x86_64
    listing = said["ls -la /var/lib/dkms /var/lib/dkms/mok.key /var/lib/dkms/mok.pub /var/lib/dkms/nvidia-current"].text
    assert "kernel-6.1.0-56-amd64-x86_64 -> 535.309.01/6.1.0-56-amd64/x86_64" in listing
    modinfo = said["modinfo -k 6.1.0-56-amd64 nvidia-current"]
    (kernel,) = look("6.1.0-56-amd64", found=path, modinfo=modinfo, dkms=tree).installed
    assert isinstance(kernel.module, Known)
    found = kernel.module.value
    assert (found.name, found.version, found.flavour) == ("nvidia-current", "535.309.01", "proprietary")
    assert value_or_none(found.signer) == "DKMS module signing key"
    assert found.sig_key == "08:84:55:95:AB:48:78:85:01:F8:BA:55:08:44:DF:3D:7B:F1:77:A3"
    on_disk = module.parse(Output("module", {"disk": modinfo, "modules": Part(0, ""), "loaded": Part(0, "")}, True))
    assert isinstance(on_disk, Known)
    assert isinstance(on_disk.value.on_disk, Known)
    assert on_disk.value.on_disk.value.version == "535.309.01"


def test_a_build_that_failed() -> None:
    """Debian 13's open 550 for its own kernel: `added`, and no module."""
    said = commands("dkms-failed.550")
    release = "6.12.117+deb13-amd64"
    assert said[f"dkms status -k {release}"].text == "nvidia-current-open/550.163.01: added"
    gone = said[f"modinfo -k {release} nvidia-current-open"]
    assert gone.rc == 1
    found = look(release, dkms="added nvidia-current-open 550.163.01 -")
    (kernel,) = found.installed
    assert isinstance(kernel.module, Absent)
    assert [(build.name, build.kernel, build.state) for build in found.dkms] == [("nvidia-current-open", "", "added")]
    on_disk = module.parse(Output("module", {"disk": gone, "modules": Part(0, ""), "loaded": Part(0, "")}, True))
    assert isinstance(on_disk, Known)
    assert isinstance(on_disk.value.on_disk, Absent)


def test_a_real_module_without_a_gpu() -> None:
    said = commands("real-module-no-gpu.535")
    lines = said["journalctl -k | grep -i nvidia"].text.split("\n")
    # The section asks for -o short-unix; the recording has short. What follows the host's name is the same.
    text = "\n".join(re.sub(r"^\w{3} \d+ \S+ ", "1795350281.0 ", line) for line in lines)
    found = kernel_log.parse(Output("kernel_log", {"journal": Part(0, f"{text}\n@lines {len(lines)} 0")}, True))
    assert isinstance(found, Known)
    assert any("NVRM: No NVIDIA GPU found." in line.text for line in found.value.lines)
    assert found.value.xids == ()
    assert said["nvidia-smi"].rc == 9
