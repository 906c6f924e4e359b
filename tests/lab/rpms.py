"""A repository of driver packages as NVIDIA's for Red Hat 9, made on a lab host by rpmbuild and createrepo_c.

The files and scripts are those of the lab's Debian packages. Names, epoch, dependencies and module streams are as in
NVIDIA's repository: a stream `BRANCH-open` for each branch, without which dnf shows no package of the driver. The open
modules only.
"""

from __future__ import annotations

from pathlib import Path

from tests.lab.machines import Host

URL = "http://127.0.0.1:8000/"
DRIVERS = ("570.195.03", "580.82.07", "580.95.05", "590.44.01")

_BUILD = Path(__file__).with_suffix(".sh")


def build(host: Host) -> None:
    """Make the repository on this host, and two keys: /root/nvidia.asc, which has signed it, and /root/other.asc."""
    host.out(_BUILD.read_text().replace("@DRIVERS@", " ".join(DRIVERS)), timeout=180)
    serve(host)


def serve(host: Host) -> None:
    """At URL, until `stop`."""
    host.out(
        "systemd-run --quiet --unit=repo python3 -m http.server --bind 127.0.0.1 --directory /srv/repo 8000; "
        f"until curl --silent --fail --output /dev/null {URL}repodata/repomd.xml; do sleep 0.1; done"
    )


def stop(host: Host) -> None:
    host.out("systemctl stop repo")


def key(host: Host, name: str, place: Path) -> Path:
    """One of the two keys, as a file for the inventory."""
    file = place / f"{name}.asc"
    file.write_text(host.out(f"cat /root/{name}.asc") + "\n")
    return file
