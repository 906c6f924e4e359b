"""The lab's nvidia-smi against what the real one printed."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from vendor_bench import RECORDINGS, Machine

from ongpu.host.reading import Known
from ongpu.probe.output import Output, Part
from ongpu.probe.sections import nvml
from ongpu_lab.vendor import profile, real_smi

CASES = sorted(path.stem for path in RECORDINGS.glob("*.ini"))
# "Sun Nov 22 11:42:23 2026       ": the only line that differs from run to run
_CLOCK = re.compile(r"^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}", re.MULTILINE)
# The recorded NVML did not say its version; with the real one nvidia-smi adds this line since 535.
_LIBRARY = re.compile(r"^NVML library version: .*\n", re.MULTILINE)


def recorded(case: str) -> list[tuple[list[str], str, int]]:
    """Arguments, output and exit code of each command in a recording."""
    found = []
    for part in re.split(r"^\$ nvidia-smi ?", (RECORDINGS / f"{case}.550.txt").read_text(), flags=re.MULTILINE)[1:]:
        command, _, rest = part.partition("\n")
        output, _, code = rest.rpartition("rc=")
        found.append((shlex.split(command), output, int(code)))
    return found


def comparable(text: str) -> str:
    return _LIBRARY.sub("", _CLOCK.sub("CLOCK", text))


def test_there_are_recordings() -> None:
    assert len(CASES) == 10
    assert sum(len(recorded(case)) for case in CASES) == 50


@pytest.mark.parametrize("case", CASES)
def test_prints_what_was_recorded(machine: Machine, case: str) -> None:
    machine.gpus((RECORDINGS / f"{case}.ini").read_text())
    for arguments, output, code in recorded(case):
        got_code, got = machine.smi(*arguments)
        assert (got_code, comparable(got)) == (code, comparable(output)), arguments


def test_says_that_no_driver_is_loaded(machine: Machine) -> None:
    machine.gpus("[gpu0]\n")
    machine.unload()
    code, text = machine.smi()
    assert code == 9
    assert text == next(output for words, output, _ in recorded("driver-not-loaded") if not words)


def test_a_module_of_another_version_is_a_mismatch(machine: Machine) -> None:
    machine.gpus("[gpu0]\n")
    machine.load("550.54.15")
    assert machine.smi("-L") == (
        18,
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.163\n",
    )


def test_a_node_that_the_user_may_not_open(machine: Machine) -> None:
    """EACCES cannot be had as root; a node that is missing and cannot be made has the same answer."""
    machine.gpus("[gpu0]\n")
    machine.nodes("nvidiactl")
    code, text = machine.smi("--query-gpu=index", "--format=csv")
    assert (code, text) == (
        4,
        "No devices were found. Please make sure /dev/nvidia* files are readable by current user.\n",
    )


def test_an_unknown_field_is_an_error_and_nothing_else_is_printed(machine: Machine) -> None:
    machine.gpus("[gpu0]\n")
    assert machine.smi("--query-gpu=index,nonsense", "--format=csv") == (
        2,
        'Field "nonsense" is not a valid field to query.\n\n',
    )


def test_header_and_units(machine: Machine) -> None:
    machine.gpus("[gpu0]\nmemory = 8188,0,334\nclock = 210\n")
    assert machine.smi("--query-gpu=index,memory.total,clocks.sm,mig.mode.current", "--format=csv") == (
        0,
        "index, memory.total [MiB], clocks.current.sm [MHz], mig.mode.current\n0, 8188 MiB, 210 MHz, [N/A]\n",
    )


def test_a_long_process_name_keeps_its_end(machine: Machine) -> None:
    machine.gpus("[gpu0]\nprocess = 77, 100, /opt/ongpu/ollama/releases/0.32.15/lib/ollama/llama-server\n")
    _, text = machine.smi()
    row = next(line for line in text.splitlines() if " 77 " in line)
    assert row == "|    0   N/A  N/A        77      C   ...ses/0.32.15/lib/ollama/llama-server        100MiB |"
    assert len(row) == 91


def test_what_it_lacks_is_said_and_is_no_answer(machine: Machine) -> None:
    machine.gpus("[gpu0]\n")
    assert machine.smi("-q", "-x") == (255, "")


def test_satisfies_the_probe(machine: Machine) -> None:
    """Every field that the probe asks for, and the parsers accept the answer."""
    machine.gpus((RECORDINGS / "healthy-2gpu.ini").read_text())
    parts = {}
    for name, arguments in {
        "gpus": [f"--query-gpu={nvml.FIELDS}", "--format=csv,noheader,nounits"],
        "apps": [f"--query-compute-apps={nvml.APPS}", "--format=csv,noheader,nounits"],
        "banner": [],
    }.items():
        code, text = machine.smi(*arguments)
        parts[name] = Part(rc=code, text=text)
    found = nvml.parse(Output(section="nvml", parts=parts, complete=True))
    assert isinstance(found, Known)
    assert isinstance(found.value.gpus, Known)
    assert [gpu.info.pci_address for gpu in found.value.gpus.value] == ["0000:01:00.0", "0000:41:00.0"]
    assert found.value.cuda_version == Known("12.4", "nvidia-smi")
    assert isinstance(found.value.processes, Known)
    assert [(process.pid, process.used_bytes) for process in found.value.processes.value] == [
        (4711, Known(5120 << 20, "nvidia-smi"))
    ]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NVIDIA's own program; it is not free and comes over the network, so only when asked for."""
    if not real_smi.wanted():
        pytest.skip(
            f"set {real_smi.SWITCH}=fetch to hold the lab's NVML and nvidia-smi against NVIDIA's own nvidia-smi"
        )
    return real_smi.fetch(tmp_path_factory.mktemp("real"))


PROCESSES = """
process = 77, 100, /opt/ongpu/ollama/releases/0.32.15/lib/ollama/llama-server
process = 4194304, 12000, x
process = 78, 1, /usr/bin/a-name-of-37-letters-exactly-12345
name = NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition
"""


@pytest.mark.parametrize("ini", [*map(profile.text, profile.names()), profile.text("l4") + PROCESSES])
def test_the_real_program_says_the_same(machine: Machine, real: Path, ini: str) -> None:
    machine.gpus(ini)
    own, theirs = machine, replace(machine, program=real)
    for arguments in (
        [],
        ["-L"],
        [f"--query-gpu={nvml.FIELDS}", "--format=csv"],
        [f"--query-gpu={nvml.CORE}", "--format=csv,noheader,nounits"],
        [f"--query-compute-apps={nvml.APPS}", "--format=csv"],
        ["-i", "0", "--query-gpu=uuid", "--format=csv,noheader"],
        ["-pm", "1"],
        [],
    ):
        expected_code, expected = theirs.smi(*arguments)
        if "-pm" in arguments:  # both find it off
            for setting in (machine.root / "run/set").iterdir():
                setting.unlink()
        got_code, got = own.smi(*arguments)
        assert (got_code, comparable(got)) == (expected_code, comparable(expected)), arguments


@pytest.mark.parametrize("case", CASES)
def test_the_real_program_still_prints_what_was_recorded(machine: Machine, real: Path, case: str) -> None:
    """So the stand-in NVML is as good as the one of the recordings."""
    machine.gpus((RECORDINGS / f"{case}.ini").read_text())
    theirs = replace(machine, program=real)
    for arguments, output, code in recorded(case):
        got_code, got = theirs.smi(*arguments)
        assert (got_code, comparable(got)) == (code, comparable(output)), arguments
