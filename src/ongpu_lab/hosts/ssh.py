"""The way in: ssh_config and known_hosts for OpenSSH, paramiko and pyinfra alike."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from ongpu_lab.base.finish import SUDOER
from ongpu_lab.hosts import proxy
from ongpu_lab.hosts.materials import HOST_KEY
from ongpu_lab.hosts.paths import LabDir
from ongpu_lab.layout import Layout

SOCKET = "ssh.sock"


def proxy_command(lab: LabDir, name: str) -> str:
    """A relay to the host's socket. Isolated and without site-packages: it must start in milliseconds."""
    words = [sys.executable, "-I", "-S", "-E", str(Path(proxy.__file__)), str(lab.host(name)), SOCKET]
    return " ".join(shlex.quote(word).replace("%", "%%") for word in words)


def ssh_config(lab: LabDir, layout: Layout) -> str:
    """One Host entry per host; any of root, ops and viewer may log in with the lab's key."""
    lines = [f"# Made by `ongpu lab up`: ssh -F {lab / 'ssh_config'} {layout.hosts[0].name}"]
    for host in layout.hosts:
        lines += [
            f"Host {host.name}",
            f"  HostName {host.name}",
            f"  User {SUDOER}",
            f'  IdentityFile "{lab / "id_ed25519"}"',
            "  IdentitiesOnly yes",
            f'  UserKnownHostsFile "{lab / "known_hosts"}"',
            "  GlobalKnownHostsFile /dev/null",
            "  StrictHostKeyChecking yes",
            "  LogLevel ERROR",
            f"  ProxyCommand {proxy_command(lab, host.name)}",
        ]
    return "\n".join(lines) + "\n"


def known_hosts(lab: LabDir, layout: Layout) -> str:
    lines = []
    for host in layout.hosts:
        kind, key = (lab.host(host.name) / f"{HOST_KEY}.pub").read_text().split()[:2]
        lines.append(f"{host.name},{host.address} {kind} {key}")
    return "\n".join(lines) + "\n"
