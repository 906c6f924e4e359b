"""What goes wrong on one host is one clear sentence there; the others finish, nothing is half-installed, and a rerun
heals. By both ways in: the same sentences, `ongpu apply` with its exit codes and pyinfra with 1."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ongpu_lab import faults
from ongpu_lab.lab import Lab
from tests.lab.fleets import BIN, SMALL, TOP, Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

Controlled = Callable[..., Controller]
TWO = {"lab1": SMALL, "lab2": SMALL}


@pytest.fixture(scope="module")
def proven(lab: Lab) -> Host:
    """lab2, which works: the other host of each test."""
    host = Host(lab, "lab2")
    host.reset()
    return host


@dataclass(frozen=True)
class Trouble:
    fault: str
    exit_code: int
    verdict: str
    sentence: str


TROUBLES = [
    Trouble("wrong-checksum", 2, "failed", "the release's list says"),
    Trouble("server-down", 2, "failed", "github.com"),
    Trouble("repository-down", 2, "failed", "developer.download.nvidia.com"),
    Trouble("registry-down", 2, "failed", "llama3.2:3b"),
    Trouble("disk-full", 2, "failed", "disk full"),
    Trouble("no-sudo", 3, "unknown", "sudo"),
    Trouble("host-down", 3, "unknown", "unreachable"),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.fault)
def test_one_hosts_trouble(trouble: Trouble, lab: Lab, blank: Any, proven: Host, controller: Controlled) -> None:
    (host,) = blank("lab1")
    on = controller(fleet(TWO))
    if on.report("apply", "-y", "lab2")["lab2"]["verdict"] != "ok":
        pytest.fail("lab2 does not work before the fault")
    of_host = not faults.find(trouble.fault).of_lab
    faults.apply(lab, faults.find(trouble.fault), "lab1" if of_host else None)

    done = on.pyinfra("-y")
    assert done.returncode == 1
    # Where the connection fails, the sentence is pyinfra's.
    assert trouble.fault == "host-down" or trouble.sentence in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert "llama3.2:3b on lab2: fully on GPU 0" in done.stderr, done.stderr

    records = on.report("apply", "-y", expect=trouble.exit_code)
    assert records["lab2"]["verdict"] == "ok", records["lab2"]
    assert records["lab1"]["verdict"] == trouble.verdict, records["lab1"]
    assert trouble.sentence in records["lab1"]["error"], records["lab1"]["error"]
    assert "\n" not in records["lab1"]["error"]
    assert "bug" not in records["lab1"]["error"]

    faults.clear(lab, trouble.fault, "lab1" if of_host else None)
    _nothing_is_half_installed(host, trouble.fault)
    healed = on.report("apply", "-y")["lab1"]
    assert healed["models"][0]["verdict"] == "verified", healed


def _nothing_is_half_installed(host: Host, fault: str) -> None:
    assert host.out("dpkg --audit") == ""
    if fault != "registry-down":
        assert host.run("test -e /opt/ongpu/ollama/current").returncode != 0
        assert host.run("systemctl is-active ollama").returncode != 0
    assert host.out("find / -xdev -name '*.ongpu-new'") == ""


def test_a_wrong_key_an_unknown_host_key_and_a_missing_user_are_told_apart(
    lab: Lab, blank: Any, proven: Host, controller: Controlled, tmp_path: Path
) -> None:
    blank("lab1")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    config = (lab.dir / "ssh_config").read_text()
    (tmp_path / "ssh_config").write_text(config.replace(str(lab.dir / "id_ed25519"), str(tmp_path / "other")))
    (tmp_path / "known_hosts").write_text("")
    other_known = (tmp_path / "ssh_config2").as_posix()
    Path(other_known).write_text(config.replace(str(lab.dir / "known_hosts"), str(tmp_path / "known_hosts")))
    wrongs = {
        "authentication failed": {"config": str(tmp_path / "ssh_config")},
        "host key": {"config": other_known, "known_hosts": str(tmp_path / "known_hosts")},
    }
    for sentence, ssh in wrongs.items():
        on = controller(fleet({"lab1": {**SMALL, "ssh": ssh}, "lab2": SMALL}))
        records = on.report("apply", "-y", expect=3)
        assert sentence in records["lab1"]["error"], records["lab1"]
        assert records["lab2"]["verdict"] == "ok", records["lab2"]
        done = on.pyinfra("-y")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "llama3.2:3b on lab2: fully on GPU 0" in done.stderr


@pytest.mark.parametrize("way", ["ongpu", "pyinfra"])
def test_a_plan_that_is_outdated_when_it_is_confirmed_is_not_exceeded(
    way: str, blank: Any, proven: Host, controller: Controlled
) -> None:
    on = controller(fleet({"lab2": SMALL}))
    on.report("apply", "-y")
    proven.out("rm /etc/systemd/system/ollama.service.d/50-ongpu.conf && systemctl daemon-reload")  # something to do
    prompt = "Make these changes?" if way == "ongpu" else "Press enter to execute"
    argv = (
        [BIN / "ongpu", "apply", "--history", on.inventory.parent]
        if way == "ongpu"
        else [BIN / "pyinfra", "inventory.py", "deploys/gpu.py"]
    )

    def meanwhile() -> None:
        proven.out("usermod -G '' ollama; HOME=/root ollama rm llama3.2:3b")

    answer = "y\n" if way == "ongpu" else "\n"
    code, screen = _confirm([str(word) for word in argv], on, prompt, answer, meanwhile)
    assert "this was not in the plan that was shown; run again to see the new plan" in screen, screen
    assert "Traceback" not in screen
    assert code == (4 if way == "ongpu" else 1), screen
    assert proven.run("HOME=/root ollama list | grep -c llama").stdout.strip() == "0"
    on.report("apply", "-y")


def _confirm(
    argv: list[str], on: Controller, prompt: str, answer: str, meanwhile: Callable[[], None]
) -> tuple[int, str]:
    """Run on a terminal; when the prompt stands there, do something behind the operator's back, then confirm."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "ONGPU_INVENTORY": str(on.inventory), "TERM": "dumb", "COLUMNS": "200"}
    child = subprocess.Popen(argv, cwd=TOP, stdin=follower, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    screen, confirmed = b"", False
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # Linux: the other side is closed
            break
        screen += piece
        if not confirmed and prompt.encode() in screen:
            confirmed = True
            meanwhile()
            os.write(leader, answer.encode())
    os.close(leader)
    return child.wait(timeout=60), " ".join(screen.decode(errors="replace").split())
