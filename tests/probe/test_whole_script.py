"""The whole script for real: every shell, root and an ordinary user, sudo; tools that hang, flood, or are broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe import frame
from ongpu.probe.decode import decode, script
from ongpu.probe.script import build
from ongpu.probe.section import Section
from ongpu.probe.sections import ORDER, kernel_log, nvml, system
from tests.probe.shells import SHELLS, process, run, tool

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="needs root")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
DENIED = ("ermission denied", "not permitted", "may not")


def check(text: str) -> HostSnapshot:
    """Every section was read, or says why not and what would allow it."""
    assert text.isascii()
    frames = frame.split(text)
    assert frames.complete
    assert tuple(frames.outputs) == ORDER
    found = decode(text)
    for name in ORDER:
        reading = getattr(found, name)
        assert isinstance(reading, Known | Absent | Unreadable)
        if isinstance(reading, Unreadable):
            assert reading.why
            assert "ongpu bug" not in reading.why
            assert "cut off" not in reading.why
            if any(words in reading.why for words in DENIED):
                assert reading.allow, reading
    return found


def user_id(found: HostSnapshot) -> int:
    assert isinstance(found.system, Known)
    return found.system.value.uid


@pytest.mark.parametrize("shell", SHELLS)
def test_as_this_user(shell: tuple[str, ...], tmp_path: Path) -> None:
    if shell != ("dash",):
        tool(tmp_path, "apt-cache", "exit 0")  # the real one takes half a second
    began = time.monotonic()
    found = check(run(shell, script(), tmp_path))
    assert time.monotonic() - began < 10  # about 0.7 s on an idle machine
    assert user_id(found) == os.getuid()


@AS_ROOT
@pytest.mark.parametrize("shell", SHELLS[:1])
def test_as_an_ordinary_user(shell: tuple[str, ...]) -> None:
    found = check(run((*NOBODY, *shell), script()))
    assert user_id(found) == 65534
    assert isinstance(found.packages, Known | Absent), "needs no rights"
    log = found.kernel_log
    assert isinstance(log, Known) or (isinstance(log, Unreadable) and log.allow == kernel_log.ALLOW)


@AS_ROOT
@pytest.mark.skipif(shutil.which("sudo") is None, reason="sudo is not installed")
def test_through_sudo() -> None:
    answer = run(("sudo", "-n", "sh", "-s"), build((system.SECTION, kernel_log.SECTION)))
    assert frame.split(answer).complete
    assert user_id(decode(answer)) == 0
    refused = subprocess.run(
        [*NOBODY, "sudo", "-n", "sh", "-s"], input=script(), capture_output=True, text=True, check=False
    )
    assert refused.returncode
    for name in ORDER:
        reading = getattr(decode(refused.stdout or refused.stderr), name)
        assert isinstance(reading, Unreadable)
        assert "sudo" in reading.why


OVERLAY = r"""
set -e
mount --make-rprivate /; mount -t tmpfs tmpfs "$1"; mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
for at in proc sys dev; do mount --rbind "/$at" "$1/root/$at"; done
chroot "$1/root" sh -s >"$1/answer"
cd "$1/upper"; find . -mindepth 1
tail -n 1 "$1/answer"
"""


@AS_ROOT
def test_it_changes_nothing(tmp_path: Path) -> None:
    """On an overlay of this machine: whatever is written, even a time stamp, would be in the upper layer."""
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")

    def changed(what: str) -> list[str]:
        command = ["unshare", "--mount", "sh", "-c", OVERLAY, "sh", str(tmp_path)]
        done = subprocess.run(command, input=what, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no overlay of / here: {done.stderr.strip()[-200:]}")
        return done.stdout.split("\n")

    *left, last, _ = changed(script())
    assert last.endswith(" end")
    # apt-cache opens nameless files in /tmp (O_TMPFILE), which leave the directory's copy in the layer.
    assert set(left) <= {"./tmp"}
    assert "./etc/ongpu-was-here" in changed("echo x >/etc/ongpu-was-here; echo end"), "the test can fail"


# --- bounded


def with_smi(tools: Path, body: str, reader_seconds: int = 30) -> Section:
    """The nvml section as if a module were loaded, with its limits in the seconds of a test."""
    tool(tools, "nvidia-smi", body)
    shell = nvml.SHELL.replace("/sys/module/nvidia ", "/ ").replace("bound 20 ", "bound 0.3 ")
    return Section(name="nvml", shell=shell, parse=nvml.parse, seconds=reader_seconds, max_bytes=nvml.SECTION.max_bytes)


def alive(pid: int) -> bool:
    """A process that its new parent has not waited for yet is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("shell", SHELLS)
def test_nvidia_smi_hangs_and_ignores_sigterm(shell: tuple[str, ...], tmp_path: Path) -> None:
    pid, fifo = tmp_path / "pid", tmp_path / "fifo"
    os.mkfifo(fifo)
    section = with_smi(tmp_path / "tools", f"trap '' TERM; echo $$ >{pid}; read -r x <{fifo}")
    began = time.monotonic()
    frames = frame.split(run(shell, build((section,)).replace("-k 2 ", "-k 0.2 "), tmp_path / "tools"))
    assert time.monotonic() - began < 8
    assert frames.complete
    found = nvml.parse(frames.outputs["nvml"])
    assert isinstance(found, Unreadable)
    assert "no answer within" in found.why
    while alive(int(pid.read_text())):
        assert time.monotonic() - began < 8, "it was left behind, not killed"
        time.sleep(0.01)


@pytest.mark.parametrize("shell", SHELLS)
def test_an_nvidia_smi_that_hangs_already_is_not_joined_by_another(shell: tuple[str, ...], tmp_path: Path) -> None:
    tools, proc = tmp_path / "tools", tmp_path / "proc"
    section = with_smi(tools, f"echo >>{tmp_path}/asked; exit 9")
    process(proc, 4711, 1, ["/usr/bin/nvidia-smi", "-q"], start=93000)
    (proc / "uptime").write_text("1000.25 2000.00\n")

    def state(letter: str) -> object:
        stat = proc / "4711" / "stat"
        stat.write_text(stat.read_text().replace(") S ", f") {letter} "))
        return nvml.parse(frame.split(run(shell, build((section,)), tools, proc)).outputs["nvml"])

    assert isinstance(state("S"), Known)
    found = state("D")
    assert isinstance(found, Unreadable)
    assert "process 4711" in found.why
    assert (tmp_path / "asked").read_text() == "\n"
    (proc / "uptime").write_text("970.00 2000.00\n")
    assert isinstance(state("D"), Known), "40 s old: a GPU that wakes up"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_process_that_cannot_be_killed_is_abandoned(shell: tuple[str, ...], tmp_path: Path) -> None:
    """As in state D: nobody may wait for it, though it holds the section's pipe."""
    if not shutil.which("setsid"):
        pytest.skip("setsid is not installed")
    section = with_smi(tmp_path / "tools", "setsid sleep 6 & exit 0", reader_seconds=1)
    after = Section(name="after", shell="p after echo yes", parse=nvml.parse)
    began = time.monotonic()
    quick = build((section, after)).replace("section nvml 1 ", "section nvml 0.3 ")
    frames = frame.split(run(shell, quick, tmp_path / "tools"))
    assert time.monotonic() - began < 5
    assert frames.complete
    assert frames.outputs["after"]["after"].text == "yes"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_flood_is_cut(shell: tuple[str, ...], tmp_path: Path) -> None:
    section = with_smi(tmp_path / "tools", "while :; do echo '0, GPU-1, 00000000:01:00.0, 580.95.05, x'; done")
    text = run(shell, build((section,)), tmp_path / "tools")
    assert len(text) < nvml.SECTION.max_bytes + 1000
    frames = frame.split(text)
    assert frames.complete
    found = nvml.parse(frames.outputs["nvml"])
    assert isinstance(found, Unreadable) or (isinstance(found, Known) and isinstance(found.value.gpus, Unreadable))


@pytest.mark.parametrize("shell", SHELLS)
def test_bytes_that_are_no_text(shell: tuple[str, ...], tmp_path: Path) -> None:
    section = with_smi(tmp_path / "tools", r"printf 'caf\303\251\000\377\r\n@@forged end\n'; exit 255")
    text = run(shell, build((section,)), tmp_path / "tools")
    assert text.isascii()
    assert "\0" not in text
    found = nvml.parse(frame.split(text).outputs["nvml"])
    assert isinstance(found, Known)
    assert found.value.exit_code == 255
    assert "caf??" in found.value.message


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_that_arrives_cut_off_does_nothing(shell: tuple[str, ...]) -> None:
    whole = script()
    for share in (0.2, 0.5, 0.9, 0.99):
        cut = whole[: int(len(whole) * share)]
        done = subprocess.run(shell, input=cut, capture_output=True, text=True, timeout=20, check=False)
        assert done.stdout == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_an_environment_that_is_odd_changes_nothing(shell: tuple[str, ...], tmp_path: Path) -> None:
    """A locale, an alias-like function, IFS, options: none of the user's may reach the answer."""
    tool(tmp_path, "apt-cache", "exit 0")  # the real one takes half a second
    odd = {"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "IFS": ":", "N": "nonce", "P": "x", "GREP_OPTIONS": "-v"}
    done = subprocess.run(
        shell,
        input=script(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": "/nowhere", **odd},
    )
    assert done.returncode == 0
    assert " nonce" not in done.stdout.split("\n", 1)[0]
    check(done.stdout)
