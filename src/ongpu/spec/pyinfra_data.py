"""A Fleet as pyinfra wants it: hosts with connector data and the one key `ongpu`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ongpu.spec.fleet import Fleet
from ongpu.spec.model import Ssh

Host = tuple[str, dict[str, Any]]


def pyinfra_groups(fleet: Fleet) -> Mapping[str, list[Host]]:
    """`{"hosts": all hosts, GROUP: its hosts}`: what an inventory.py exposes as its global names."""
    groups: dict[str, list[Host]] = {"hosts": []}
    for spec in fleet.hosts:
        entry = (spec.name, {**connection(spec.ssh), "ongpu": dict(fleet.data[spec.name])})
        groups["hosts"].append(entry)
        for group in spec.groups:
            groups.setdefault(group, []).append(entry)
    return groups


def connection(ssh: Ssh) -> dict[str, Any]:
    """pyinfra 3.10's SSH connector data (pyinfra/connectors/ssh.py). Host keys are always verified."""
    data = {
        "ssh_hostname": ssh.hostname,
        "ssh_user": ssh.user,
        "ssh_port": ssh.port,
        "ssh_key": ssh.key,
        "ssh_config_file": ssh.config,
        "ssh_known_hosts_file": ssh.known_hosts,
    }
    chosen: dict[str, Any] = {key: value for key, value in data.items() if value is not None}
    return {**chosen, "ssh_strict_host_key_checking": "yes", "_sudo": ssh.sudo}
