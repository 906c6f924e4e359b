"""From a host's shape to its machine: base tree, disk, identity, simulated hardware."""

from __future__ import annotations

from pathlib import Path

from ongpu_lab.hosts import vendor
from ongpu_lab.hosts.machine import Machine
from ongpu_lab.hosts.materials import HOST_KEY, ca_hash
from ongpu_lab.hosts.paths import LabDir
from ongpu_lab.hosts.readiness import Readiness
from ongpu_lab.hosts.rootfs import Identity, RootFs, personalise
from ongpu_lab.hosts.state import State
from ongpu_lab.layout import HostShape


def machine(lab: LabDir, state: State, shape: HostShape) -> Machine:
    """A machine that is not booted yet; its disk is made at its first boot, and after each reset."""
    rootfs = RootFs(shape, Path(state.bases[shape.suite]))
    directory = lab.host(shape.name)

    hardware = vendor.Hardware(directory, shape.profile, Path(state.cache))

    def equip() -> list[str]:
        rootfs.remove()
        rootfs.make()
        personalise(rootfs.root, shape, directory / HOST_KEY, _identity(lab))
        return hardware.equip(rootfs.root)

    return Machine(shape, state.lab_id, directory, rootfs, equip, hardware.power_on, Readiness(lab))


def _identity(lab: LabDir) -> Identity:
    certificate = lab / "ca.crt"
    return Identity(
        authorized_key=(lab / "id_ed25519.pub").read_text(),
        ca_certificate=certificate.read_text(),
        ca_hash=ca_hash(certificate),
        vendor_names=vendor.hostnames(),
    )
