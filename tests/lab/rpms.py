"""A repository of driver packages as NVIDIA's for Red Hat 9 or SLES 15, made on a lab host by rpmbuild, createrepo_c.

The files and scripts are those of the lab's Debian packages. Names, epoch, dependencies and module streams are as in
NVIDIA's repository. Red Hat: a stream `BRANCH-open` for each branch, without which dnf shows no package of the driver;
the open modules only. SLES: modules prebuilt for the kernel, of both flavours; 590 is of the generation G07.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tests.lab.machines import Host

URL = "http://127.0.0.1:8000/"
DRIVERS = ("570.195.03", "580.82.07", "580.95.05", "590.44.01")

Family = Literal["redhat", "suse"]
_HERE = Path(__file__).parent


def build(host: Host, family: Family) -> None:
    """Make the repository on this host, and two keys: /root/nvidia.asc, which has signed it, and /root/other.asc."""
    script = "".join((_HERE / f"{name}.sh").read_text() for name in ("rpms", f"rpms-{family}"))
    host.out(script.replace("@DRIVERS@", " ".join(DRIVERS)), timeout=300)
    serve(host)


def serve(host: Host) -> None:
    """At URL, until `stop`, also after a reboot."""
    program = "/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory /srv/repo 8000"
    unit = f"[Service]\nExecStart={program}\n[Install]\nWantedBy=multi-user.target\n"
    host.out(
        f"printf '{unit}' >/etc/systemd/system/repo.service; systemctl --quiet enable --now repo; "
        f"until curl --silent --fail --output /dev/null {URL}repodata/repomd.xml; do sleep 0.1; done"
    )


def stop(host: Host) -> None:
    host.out("systemctl stop repo")


def key(host: Host, name: str, place: Path) -> Path:
    """One of the two keys, as a file for the inventory."""
    file = place / f"{name}.asc"
    file.write_text(host.out(f"cat /root/{name}.asc") + "\n")
    return file
