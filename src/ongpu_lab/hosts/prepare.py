"""Everything that a lab needs before its supervisor starts: base trees, vendor sites, keys, configuration files."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ongpu_lab.base import build
from ongpu_lab.errors import LabError
from ongpu_lab.hosts import materials, ssh, vendor
from ongpu_lab.hosts.paths import LabDir
from ongpu_lab.hosts.state import State, write_whole
from ongpu_lab.layout import Layout

Say = Callable[[str], None]


def check_profiles(layout: Layout) -> None:
    """Raises LabError naming the GPU profiles that there are."""
    known = vendor.profiles()
    for host in layout.hosts:
        if host.profile not in known:
            raise LabError(f"{host.name}: there is no GPU profile `{host.profile}`; there are {', '.join(known)}.")


def prepare(lab: LabDir, layout: Layout, cache: Path, say: Say) -> State:
    """Base trees and sites are made side by side. The state is written first: whatever happens, `down` can clean up."""
    suites = sorted({host.suite for host in layout.hosts})
    state = State(layout, {suite: str(build.tree(suite, cache)) for suite in suites}, str(cache))
    state.save(lab)
    for host in layout.hosts:
        lab.host(host.name).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(build.ensure, suite, cache, say) for suite in suites]
        jobs.append(pool.submit(_materials, lab, state, cache))
        for job in jobs:
            job.result()
    return state


def _materials(lab: LabDir, state: State, cache: Path) -> Path:
    (lab / "www").mkdir(exist_ok=True)
    vendor.build_sites(cache, lab)
    materials.certificates(lab, state.lab_id, vendor.hostnames())
    materials.ssh_key(lab / "id_ed25519", f"ongpu lab {state.lab_id}")
    for host in state.layout.hosts:
        materials.ssh_key(lab.host(host.name) / materials.HOST_KEY, host.name)
    write_whole(lab / "known_hosts", ssh.known_hosts(lab, state.layout))
    write_whole(lab / "ssh_config", ssh.ssh_config(lab, state.layout))
    (lab / "serve.ini").touch()
    return lab.root


def hand_over(lab: LabDir, layout: Layout) -> None:
    """Under sudo, what the operator's own ssh needs belongs to the operator. Call it when the lab is up."""
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if uid.isdigit() and gid.isdigit():
        files = [lab / name for name in ("id_ed25519", "ssh_config", "known_hosts", "nvidia-key.asc", "ca.crt")]
        for path in [*files, *(lab.host(host.name) / ssh.SOCKET for host in layout.hosts)]:
            os.chown(path, int(uid), int(gid))
