"""The lab's hosts are real servers, blank, alike, and separate from each other and from the machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from ongpu_lab import faults
from ongpu_lab.lab import Lab
from ongpu_lab.process import wait_until
from tests.lab.machines import Host

pytestmark = pytest.mark.lab


def ssh(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    argv = ["ssh", "-F", str(lab.dir / "ssh_config"), "-o", "BatchMode=yes", *words]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def test_systemd_runs_without_a_failed_unit(each_host: Host) -> None:
    assert each_host.out("systemctl is-system-running") == "running"
    assert each_host.out("hostname") == each_host.name
    assert float(each_host.out("cut -d' ' -f1 /proc/uptime")) < 60, "uptime is the host's own, not the machine's"


def test_ops_has_sudo_and_viewer_has_not(host: Host, lab: Lab) -> None:
    assert ssh(lab, "lab1", "sudo -n id -u").stdout == "0\n"
    assert ssh(lab, "root@lab1", "id -u").stdout == "0\n"
    denied = ssh(lab, "viewer@lab1", "id -un; sudo -n id -u")
    assert denied.stdout == "viewer\n"
    assert denied.returncode != 0


def test_a_large_answer_comes_whole_through_the_relay(host: Host, lab: Lab) -> None:
    assert len(ssh(lab, "lab1", "head -c 5000000 /dev/zero | tr '\\0' x").stdout) == 5_000_000


def test_sessions_are_counted_at_sshd(each_host: Host, lab: Lab) -> None:
    each_host.ssh_mark()
    assert each_host.ssh_count() == 0
    ssh(lab, each_host.name, "true")
    ssh(lab, f"viewer@{each_host.name}", "true")
    ssh(lab, each_host.name, "true")
    assert each_host.ssh_count() == 2
    assert each_host.ssh_count("viewer") == 1


def test_files_and_journal_outlive_a_reboot_but_not_a_reset(each_host: Host) -> None:
    each_host.out("echo kept >/root/file; logger before-the-reboot; journalctl --sync")
    boot = each_host.boot_id()
    each_host.reboot()
    assert each_host.boot_id() != boot
    assert each_host.out("cat /root/file") == "kept"
    assert "before-the-reboot" in each_host.out("journalctl --no-pager --boot=-1")
    each_host.reset()
    assert each_host.run("cat /root/file").returncode != 0
    assert "before-the-reboot" not in each_host.out("journalctl --no-pager")


def test_a_host_that_powers_off_stays_down_until_it_is_started(host: Host, lab: Lab) -> None:
    host.run("systemctl poweroff")
    assert wait_until(lambda: host.status()["state"] == "down", 30)
    assert host.status()["reason"] == "it was powered off"
    assert ssh(lab, "lab1", "true").returncode == 255
    host.start()
    assert ssh(lab, "lab1", "true").returncode == 0


def test_hosts_reach_the_lab_and_each_other_but_nothing_else(blank: Callable[..., list[Host]]) -> None:
    one, _ = blank("lab1", "lab2")
    assert one.run("bash -c 'head -c 4 </dev/tcp/10.77.0.12/22'").stdout == "SSH-"
    assert one.run("curl --silent --max-time 2 http://192.0.2.1/").returncode != 0
    with open("/proc/net/dev") as devices:
        assert "lab0" not in devices.read(), "the lab's bridge is in the user's own network"


def test_hosts_trust_the_vendors_sites_and_nobody_else_does(each_host: Host, lab: Lab) -> None:
    assert (
        each_host.out("curl --silent --output /dev/null --write-out '%{ssl_verify_result}' https://github.com/") == "0"
    )
    assert (lab.dir / "ca.crt").read_text() in each_host.out("cat /etc/ssl/certs/ca-certificates.crt") + "\n"
    with open("/etc/ssl/certs/ca-certificates.crt") as bundle:
        assert (lab.dir / "ca.crt").read_text() not in bundle.read()
    assert not list(lab.dir.root.rglob("ca.key")), "the CA's key must not be kept"


def test_up_again_says_that_it_is_up(
    host: Host, lab: Lab, ongpu: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = ongpu("lab", "--dir", str(lab.dir.root), "up")
    assert done.returncode == 0, done.stderr
    assert "already up" in done.stderr
    status = ongpu("lab", "--dir", str(lab.dir.root), "status", "--format", "json")
    assert status.returncode == 0
    assert [one["state"] for one in json.loads(status.stdout)["hosts"]] == ["running"] * 3


def test_up_starts_what_is_down(host: Host, lab: Lab, ongpu: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    faults.apply(lab, faults.find("host-down"), host.name)
    status = ongpu("lab", "--dir", str(lab.dir.root), "status")
    assert status.returncode == 2
    assert "down     it was powered off\n" in status.stdout
    assert status.stdout.endswith("fault: host-down on lab1\n")
    done = ongpu("lab", "--dir", str(lab.dir.root), "up")
    assert done.returncode == 0, done.stderr
    assert "lab: starting lab1\n" in done.stderr
    assert host.out("systemctl is-system-running") == "running"
    assert faults.active(lab) == []


def test_exec_gives_the_commands_exit_code(
    host: Host, lab: Lab, ongpu: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = ongpu("lab", "--dir", str(lab.dir.root), "exec", "lab1", "--", "sh", "-c", "echo out; exit 7")
    assert (done.returncode, done.stdout) == (7, "out\n")
    unknown = ongpu("lab", "--dir", str(lab.dir.root), "exec", "lab9", "true")
    assert unknown.returncode == 1
    assert unknown.stderr == "ongpu: This lab has no host `lab9`; it has lab1, lab2, lab3.\n"
