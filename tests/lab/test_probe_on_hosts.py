"""`ongpu snapshot --script` on real hosts: under every shell, as root, with sudo and as an ordinary user."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe.decode import decode, script
from tests.lab.fleets import SMALL, Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

SECTIONS = tuple(HostSnapshot.__dataclass_fields__)
SHELLS = ("dash", "bash", "/tmp/busybox sh")


def ssh(host: Host, user: str, command: str) -> str:
    """The probe as the product sends it: on standard input, through sshd."""
    done = subprocess.run(
        ["ssh", "-F", str(host.lab.dir / "ssh_config"), f"{user}@{host.name}", command],
        input=script(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


# Lab hosts have no EFI and no Python, and this one checks nothing by itself.
NOT_HERE = {"secure_boot": Absent, "watch": Absent, "cuda": Unreadable}


def looked_at(text: str) -> HostSnapshot:
    lines = [line for line in text.split("\n") if line]
    assert lines[-1].startswith("@@")
    assert lines[-1].endswith(" end")
    found = decode(text)
    for name in SECTIONS:
        assert isinstance(getattr(found, name), Known | Absent | Unreadable)
    return found


def bring_busybox(host: Host) -> None:
    place = Path(str(shutil.which("busybox")))
    done = subprocess.run(
        ["ssh", "-F", str(host.lab.dir / "ssh_config"), f"root@{host.name}",
         "cat >/tmp/busybox; chmod 755 /tmp/busybox"],
        input=place.read_bytes(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_blank_and_configured_hosts_are_read_alike_in_every_shell(
    each_host: Host, controller: Callable[..., Controller]
) -> None:
    bring_busybox(each_host)
    for shell in SHELLS:
        found = looked_at(ssh(each_host, "root", f"{shell} -s"))
        assert all(isinstance(getattr(found, name), Known | Absent) for name in SECTIONS), found
        assert isinstance(found.pci, Known)
        assert len(found.pci.value) == 1
        assert isinstance(found.service, Known)
        assert not found.service.value.exists

    on = controller(fleet({each_host.name: SMALL}))
    on.report("apply", "-y")
    for shell in SHELLS:
        for user, command in (("root", f"{shell} -s"), ("ops", f"sudo -n {shell} -s")):
            found = looked_at(ssh(each_host, user, command))
            unknown = {name: type(getattr(found, name)) for name in SECTIONS if name not in NOT_HERE}
            assert set(unknown.values()) == {Known}, (shell, user, unknown)
            assert {name: type(getattr(found, name)) for name in NOT_HERE} == NOT_HERE


def test_an_ordinary_user_sees_less_and_is_told_what_would_allow_it(
    host: Host, controller: Callable[..., Controller]
) -> None:
    controller(fleet({"lab1": SMALL})).report("apply", "-y")
    found = looked_at(ssh(host, "viewer", "sh -s"))
    assert isinstance(found.service, Known)
    assert isinstance(found.service.value.main, Known)
    environ = found.service.value.main.value.environ
    assert isinstance(environ, Unreadable)
    assert environ.allow
