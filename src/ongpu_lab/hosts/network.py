"""The lab's network: one bridge in the supervisor's network namespace, one namespace per host. No way out."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ongpu_lab.contain import clean_environment
from ongpu_lab.errors import LabError
from ongpu_lab.layout import GATEWAY, HostShape, Layout

BRIDGE = "lab0"
NAMESPACES = Path("/run/netns")  # where ip(8) keeps names; a private tmpfs here


def bridge_commands(layout: Layout) -> list[str]:
    """ip(8) batch: the bridge, and an empty namespace per host."""
    return [
        "link set lo up",
        f"link add {BRIDGE} type bridge",
        f"addr add {GATEWAY}/24 dev {BRIDGE}",
        f"link set {BRIDGE} up",
        *(f"netns add {host.name}" for host in layout.hosts),
        *(f"link add v-{host.name} type veth peer name eth0 netns {host.name}" for host in layout.hosts),
        *(f"link set v-{host.name} master {BRIDGE} up" for host in layout.hosts),
    ]


def host_commands(host: HostShape) -> list[str]:
    """ip(8) batch inside the host's namespace. The default route leads to the lab's side, which forwards nothing."""
    return [
        "link set lo up",
        f"addr add {host.address}/24 dev eth0",
        "link set eth0 up",
        f"route add default via {GATEWAY}",
    ]


def build(layout: Layout) -> None:
    """Raises LabError with ip's own words."""
    _ip(bridge_commands(layout))
    for host in layout.hosts:
        _ip(host_commands(host), "-n", host.name)


def _ip(commands: list[str], *options: str) -> None:
    done = subprocess.run(
        ["ip", *options, "-batch", "-"],
        input="\n".join(commands) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=clean_environment(),
    )
    if done.returncode != 0:
        raise LabError(f"The lab's network could not be made: {done.stderr.strip() or done.returncode}.")
