"""Reads this machine without SSH: the same script through a local shell, and NVML itself instead of nvidia-smi.

Who is asked about the GPUs:

- no kernel module: nobody. NVML, asked by root, makes device nodes and may load the module; the `nvml` section of the
  script, which stays away from it too, gives the answer.
- NVML answers, or refuses with an error of the driver: that is the answer. nvidia-smi asks the same library.
- NVML gives no answer in time, or an earlier look still waits for one: Unreadable. Another process would hang in the
  same place, for ever.
- NVML cannot be used from here (no library on the loader path, as with WSL; a crash; no nvidia-ml-py): nvidia-smi.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import BinaryIO

from ongpu.host.gpu import Nvml
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe import nvml_child, nvml_read
from ongpu.probe.decode import decode
from ongpu.probe.script import build
from ongpu.probe.section import Section
from ongpu.probe.sections import all_sections
from ongpu.probe.sections import nvml as nvml_section

SHELL = ("sh", "-s")
SECONDS = 120.0  # for the script; its sections have limits of their own
NVML_SECONDS = 20.0  # as for nvidia-smi
AFTER_KILL = 2.0  # for a killed process to be gone
# Any of these: the driver is there (or WSL's), so that asking NVML changes nothing.
DRIVER = ("/sys/module/nvidia", "/proc/driver/nvidia/version", "/dev/dxg")
GUARD = Section(
    name="nvml",
    shell=nvml_section.HUNG + "p hung hung\n",
    parse=lambda output: nvml_section.hung(output) or Absent("no earlier question waits"),
    seconds=5,
)
CHILD = (sys.executable, "-P", "-m", nvml_child.__name__)


def snapshot_local(
    seconds: float = SECONDS,
    nvml_seconds: float = NVML_SECONDS,
    shell: Sequence[str] = SHELL,
    driver: Sequence[str] = DRIVER,
) -> HostSnapshot:
    """This machine as the user who calls. Never raises for what the machine does; both limits are in seconds."""
    rest = tuple(section for section in all_sections() if section.name != "nvml")
    if not any(os.path.exists(path) for path in driver):
        return _read(all_sections(), seconds, shell)
    snapshot = _read(rest, seconds, shell)
    return replace(snapshot, nvml=read_nvml(nvml_seconds, shell))


def read_nvml(seconds: float = NVML_SECONDS, shell: Sequence[str] = SHELL) -> Reading[Nvml]:
    """What NVML says, else what nvidia-smi says. The caller has made sure that a driver is loaded."""
    why = ""
    waits = _read((GUARD,), 10, shell).nvml
    if isinstance(waits, Unreadable):
        return waits
    try:
        ended = run(CHILD, "", seconds, _import_path())
    except OSError as error:
        why = str(error)
    else:
        if ended.code is None:
            return Unreadable(
                f"NVML gave no answer within {seconds:g} seconds", "look for a hung driver: dmesg, ps (state D)"
            )
        found = nvml_child.parse(ended.out)
        if isinstance(found, Nvml) and found.exit_code != nvml_read.LIBRARY_NOT_FOUND:
            return Known(found, nvml_read.SOURCE)
        why = found.message if isinstance(found, Nvml) else found or _died(ended)
    asked = _read((nvml_section.SECTION,), nvml_section.SECTION.seconds + 5, shell).nvml
    match asked:
        case Known():
            return asked
        case Absent(why=smi):
            return Absent(f"{smi}; NVML: {why}")
        case Unreadable(why=smi, allow=allow):
            return Unreadable(f"{smi}; NVML: {why}", allow)


def _read(sections: Sequence[Section], seconds: float, shell: Sequence[str]) -> HostSnapshot:
    try:
        ended = run(shell, build(sections), seconds)
    except OSError as error:
        return HostSnapshot.unreadable(f"the probe's shell could not be started: {error}")
    if ended.code is None and not ended.out:
        return HostSnapshot.unreadable(f"the probe gave no answer within {seconds:g} s")
    return decode(ended.out or ended.err, sections)


@dataclass(frozen=True, slots=True)
class Ended:
    """`code` is None when the time was up: the process was killed, or hangs in the kernel and was left behind."""

    code: int | None
    out: str
    err: str


def run(command: Sequence[str], text: str, seconds: float, env: Mapping[str, str] | None = None) -> Ended:
    """Run it with `text` on its standard input, never longer than `seconds` + AFTER_KILL.

    Through memory files, not pipes: a process in state D keeps its end of a pipe open after it was killed, and a full
    disk is no reason not to look. Raises OSError when it cannot be started.
    """
    with _memory() as given, _memory() as out, _memory() as err:
        given.write(text.encode())
        given.seek(0)
        process = subprocess.Popen(command, stdin=given, stdout=out, stderr=err, env=env, start_new_session=True)
        code: int | None = None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                process.wait(AFTER_KILL)
        return Ended(code, _text(out, "ascii"), _text(err, "utf-8"))


def _memory() -> BinaryIO:
    return os.fdopen(os.memfd_create("ongpu"), "w+b")


def _text(file: BinaryIO, encoding: str) -> str:
    file.seek(0)
    return file.read().decode(encoding, "replace")


def _import_path() -> dict[str, str]:
    """The child finds what this process finds, and (-P) nothing in the current directory."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _died(ended: Ended) -> str:
    said = [line.strip() for line in ended.err.split("\n") if line.strip()]
    how = f"signal {-ended.code}" if ended.code is not None and ended.code < 0 else f"exit {ended.code}"
    return f"its process ended without an answer ({how}{': ' + said[-1][:200] if said else ''})"
