"""What the lab writes for ssh, hosts and itself."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu_lab import layout
from ongpu_lab.errors import LabError
from ongpu_lab.hosts import network, nspawn, ssh, state
from ongpu_lab.hosts.materials import HOST_KEY
from ongpu_lab.hosts.paths import ENTRIES, LabDir
from ongpu_lab.hosts.rootfs import Identity, hosts_file, personalise

PAIR = layout.load("pair")


@pytest.fixture
def lab(tmp_path: Path) -> LabDir:
    root = tmp_path / "my lab"
    for host in PAIR.hosts:
        (root / "hosts" / host.name).mkdir(parents=True)
        (root / "hosts" / host.name / f"{HOST_KEY}.pub").write_text(f"ssh-ed25519 AAAA{host.name} comment\n")
    return LabDir.at(root)


def test_openssh_and_paramiko_read_the_same_config(lab: LabDir) -> None:
    file = lab / "ssh_config"
    file.write_text(ssh.ssh_config(lab, PAIR))
    theirs = paramiko.SSHConfig.from_path(str(file)).lookup("lab2")
    done = subprocess.run(["ssh", "-F", str(file), "-G", "lab2"], capture_output=True, text=True, check=True)
    ours = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    for key in ("hostname", "user", "proxycommand"):
        assert theirs[key] == ours[key]
    assert theirs["user"] == "ops"
    assert theirs["proxycommand"].endswith(f"'{lab.host('lab2')}' ssh.sock")
    assert theirs["userknownhostsfile"].strip('"') == ours["userknownhostsfile"] == str(lab / "known_hosts")
    assert [path.strip('"') for path in theirs["identityfile"]] == [str(lab / "id_ed25519")]


def test_known_hosts_knows_name_and_address(lab: LabDir) -> None:
    assert ssh.known_hosts(lab, PAIR).splitlines()[1] == "lab2,10.77.0.12 ssh-ed25519 AAAAlab2"


@pytest.mark.parametrize("path", ["/run/lab", "/", '/tmp/a"b', "/tmp/100%", "/tmp/a\nb"])
def test_a_lab_cannot_be_everywhere(path: str) -> None:
    with pytest.raises(LabError, match="A lab cannot be in"):
        LabDir.at(path)


def test_a_lab_cannot_hide_in_run_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/run")
    with pytest.raises(LabError, match="A lab cannot be in"):
        LabDir.at(tmp_path / "link" / "lab")


def test_paths_are_those_that_down_removes(lab: LabDir) -> None:
    assert (lab / "known_hosts").name in ENTRIES
    with pytest.raises(AssertionError):
        lab / "other"
    assert lab.lock().name not in ENTRIES, "a lock file that is removed locks nobody out"


def test_a_state_is_read_as_it_was_written(lab: LabDir) -> None:
    assert state.load(lab) is None
    written = state.State(PAIR, {"bookworm": "/b", "trixie": "/t"}, "/cache")
    written.save(lab)
    assert state.load(lab) == written
    assert state.State(PAIR, {}, "").lab_id != written.lab_id


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1}', '{"format": 1, "hosts": [{}]}', '{"format": 9}'])
def test_a_damaged_state_is_an_error(lab: LabDir, text: str) -> None:
    (lab / "state.json").write_text(text)
    with pytest.raises(LabError, match=r"state\.json cannot be read"):
        state.load(lab)


def test_a_states_id_is_never_a_path(lab: LabDir) -> None:
    state.State(PAIR, {}, "", "../..").save(lab)
    with pytest.raises(LabError, match="id is damaged"):
        state.load(lab)


@given(st.text())
def test_any_text_is_a_state_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(state.parse(text), state.State)


def test_interface_names_fit() -> None:
    longest = layout.parse('[[host]]\nname = "abcdefghij"\nsuite = "trixie"\nprofile = "none"', "x")
    for line in network.bridge_commands(longest):
        for word in line.split():
            assert len(word) <= 15, f"{word}: an interface's name has at most 15 characters"
    assert network.host_commands(PAIR.hosts[1])[1] == "addr add 10.77.0.12/24 dev eth0"


def test_uptime_of_a_host_starts_at_its_boot() -> None:
    argv = nspawn.argv("lab1", Path("/root"), Path("/journal"), 1000.9, ["--bind=x:y"])
    assert "--boottime=-999" in argv
    assert "--machine=lab1" in argv
    assert argv[-1] == "--bind=x:y"
    assert "--boottime=-0" in nspawn.argv("lab1", Path("/root"), Path("/journal"), 0.4)


def test_a_host_knows_itself_and_the_vendors() -> None:
    assert hosts_file("lab1", ("github.com",)).splitlines() == [
        "127.0.0.1 localhost",
        "127.0.1.1 lab1",
        "::1 localhost ip6-localhost",
        "10.77.0.1 github.com",
    ]


def test_a_blank_server_becomes_this_host(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for directory in ("etc/ssh", "etc/ssl/certs", "usr/local/share/ca-certificates", "root", "home/ops", "home/viewer"):
        (root / directory).mkdir(parents=True)
    (root / "etc/ssl/certs/ca-certificates.crt").write_text("OTHERS\n")
    (tmp_path / "key").write_text("secret")
    identity = Identity("ssh-ed25519 KEY\n", "CERTIFICATE\n", "0a1b2c3d", ("github.com",))
    for _ in range(2):  # the second time changes nothing
        personalise(root, PAIR.hosts[0], tmp_path / "key", identity)
    assert (root / "etc/hostname").read_text() == "lab1\n"
    assert (root / "etc/ssl/certs/ca-certificates.crt").read_text() == "OTHERS\nCERTIFICATE\n"
    assert os.readlink(root / "etc/ssl/certs/0a1b2c3d.0") == "ongpu-lab.pem"
    assert (root / "etc/ssh/key").stat().st_mode & 0o777 == 0o600
    for home in ("root", "home/ops", "home/viewer"):
        file = root / home / ".ssh/authorized_keys"
        assert file.read_text() == "ssh-ed25519 KEY\n"
        assert file.stat().st_mode & 0o777 == 0o600
