"""This machine without SSH: the script through a local shell, NVML in a child that may hang or crash."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.probe import local, nvml_child, nvml_read
from ongpu.probe.sections import nvml as section
from tests.probe.fake_pynvml import Pynvml
from tests.probe.shells import process, tool


@pytest.fixture
def pynvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a module `pynvml` of this text before the real one, for the child too."""

    def put(text: str) -> None:
        directory = tmp_path / "modules"
        directory.mkdir()
        (directory / "pynvml.py").write_text(text)
        monkeypatch.syspath_prepend(str(directory))

    return put


@pytest.fixture
def no_smi(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("nvidia-smi is installed here")


FAKE = "from tests.probe.fake_pynvml import NVMLError, Pynvml\n"


def test_the_child_s_answer_is_the_value(pynvml: Any) -> None:
    pynvml(FAKE + "fake = Pynvml(gpus=2)\ndef __getattr__(name): return getattr(fake, name)\n")
    assert local.read_nvml() == Known(nvml_read.read(Pynvml(gpus=2)), "NVML")


def test_a_refusal_of_the_driver_is_an_answer(pynvml: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """nvidia-smi asks the same library: it is not asked again."""
    pynvml(FAKE + "fake = Pynvml(Init=NVMLError(18))\ndef __getattr__(name): return getattr(fake, name)\n")
    tool(tmp_path / "tools", "nvidia-smi", f"touch {tmp_path}/asked")
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:{os.environ['PATH']}")
    found = local.read_nvml()
    assert isinstance(found, Known)
    assert found.value.exit_code == 18
    assert not (tmp_path / "asked").exists()


def test_a_hang_ends_in_time_and_is_not_repeated(pynvml: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pynvml("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()\n")
    tool(tmp_path / "tools", "nvidia-smi", f"touch {tmp_path}/asked")
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:{os.environ['PATH']}")
    began = time.monotonic()
    found = local.read_nvml(seconds=0.4)
    assert isinstance(found, Unreadable)
    assert "no answer within 0.4 s" in found.why
    assert time.monotonic() - began < 4
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    ("module", "why"),
    [
        ("import os\nos.kill(os.getpid(), 11)\n", "signal 11"),
        ("raise ImportError('broken')\n", "ImportError: broken"),
        ("raise SystemExit(3)\n", "exit 3"),
        (FAKE + "fake = Pynvml(Init=NVMLError(12))\ndef __getattr__(name): return getattr(fake, name)\n", "Not Found"),
    ],
    ids=["crash", "import", "exit", "library"],
)
def test_nvidia_smi_is_asked_when_nvml_cannot_be_used(
    pynvml: Any, module: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_smi: None
) -> None:
    pynvml(module)
    without = local.read_nvml()
    assert isinstance(without, Absent)
    assert "nvidia-smi is not installed" in without.why
    assert why in without.why
    tool(tmp_path / "tools", "nvidia-smi", "echo 'Failed to initialize NVML: Unknown Error'; exit 255")
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:{os.environ['PATH']}")
    driverless = local.read_nvml()
    assert isinstance(driverless, Known), "the section itself looks for the module: 9 without one"
    assert driverless.value.exit_code in (9, 255)


def test_an_earlier_look_that_hangs_is_not_joined_by_another(
    pynvml: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen in a /proc of our own, by the name that the child gives itself."""
    pynvml("from pathlib import Path\nraise SystemExit(Path('/proc/self/comm').read_text())\n")
    named = local.run(local.CHILD, "", 20, local._import_path())
    assert named.err.strip() == section.CHILD
    proc = tmp_path / "proc"
    process(proc, 4711, 1, [section.CHILD])
    (proc / "uptime").write_text("100000.25 1.00\n")
    stat = proc / "4711" / "stat"
    monkeypatch.setattr(local, "GUARD", replace(local.GUARD, shell=local.GUARD.shell.replace("/proc", str(proc))))
    assert isinstance(local.read_nvml(), Absent | Known)
    stat.write_text(stat.read_text().replace(") S ", ") D "))
    found = local.read_nvml()
    assert isinstance(found, Unreadable)
    assert "process 4711" in found.why


@pytest.mark.parametrize("text", ["", "@@nvml {", '@@nvml {"exit_code": "x"}', "@@nvml []", "noise\n@@failed why"])
def test_a_damaged_answer_is_none(text: str) -> None:
    assert isinstance(nvml_child.parse(text), str)


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real apt-cache takes half a second."""
    tool(tmp_path / "quick", "apt-cache", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}/quick:{os.environ['PATH']}")


def test_without_a_driver_nvml_is_not_asked(pynvml: Any, tmp_path: Path, quick: None) -> None:
    pynvml(f"open({str(tmp_path / 'asked')!r}, 'w')\n")
    snapshot = local.snapshot_local(driver=("/nowhere",))
    assert isinstance(snapshot.system, Known)
    assert snapshot.system.value.uid == os.getuid()
    assert not (tmp_path / "asked").exists()
    if not shutil.which("nvidia-smi"):
        assert snapshot.nvml == Absent("nvidia-smi is not installed")


def test_with_a_driver_the_section_is_replaced(pynvml: Any, quick: None) -> None:
    pynvml(FAKE + "fake = Pynvml()\ndef __getattr__(name): return getattr(fake, name)\n")
    snapshot = local.snapshot_local(driver=("/",))
    assert isinstance(snapshot.nvml, Known)
    assert snapshot.nvml.source == "NVML"
    for name in snapshot.__dataclass_fields__:
        reading = getattr(snapshot, name)
        assert not isinstance(reading, Unreadable) or "said nothing" not in reading.why, name


def test_a_shell_that_hangs_floods_or_is_not_there(tmp_path: Path) -> None:
    assert isinstance(local.snapshot_local(shell=("/nowhere/sh",), driver=()).system, Unreadable)
    began = time.monotonic()
    hung = local.snapshot_local(seconds=0.3, shell=("sh", "-c", "echo '@@ongpu 1 x'; exec sleep 60"), driver=())
    assert isinstance(hung.system, Unreadable)
    assert "cut off" in hung.system.why
    silent = local.snapshot_local(seconds=0.3, shell=("sh", "-c", "exec sleep 60"), driver=())
    assert isinstance(silent.nvml, Unreadable)
    assert "no answer within 0.3 s" in silent.nvml.why
    assert time.monotonic() - began < 5
    refused = local.snapshot_local(shell=("sh", "-c", "cat >/dev/null; echo 'sorry, no' >&2; exit 1"), driver=())
    assert isinstance(refused.system, Unreadable)
    assert "sorry, no" in refused.system.why


def test_a_child_that_leaves_its_pipe_to_another_does_not_hold_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process in state D, which keeps the pipe after it was killed: here one in a session of its own."""
    setsid = shutil.which("setsid")
    if not setsid:
        pytest.skip("setsid is not installed")
    monkeypatch.setattr(local, "AFTER_KILL", 0.2)
    began = time.monotonic()
    ended = local.run(("sh", "-c", "echo begun; setsid sleep 5 & wait"), "", 0.3)
    assert ended.code is None
    assert ended.out.startswith("begun")
    assert time.monotonic() - began < 3
