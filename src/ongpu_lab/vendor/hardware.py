"""Puts simulated hardware into a lab host: GPUs on the PCI bus, and what stands in for loading kernel modules.

A host's systemd-nspawn container has no kernel of its own. Before the boot, `equip` writes a boot unit and wrappers of
modprobe, rmmod, insmod and lsmod into its file system; at boot the unit puts a PCI bus and an empty list of loaded
modules in place, and the wrappers keep both true from then on. Nothing outside of the host is touched.
"""

from __future__ import annotations

import os
import platform
import shutil
import stat
from pathlib import Path

from ongpu_lab.vendor import pci, support
from ongpu_lab.vendor import profile as profile_files

_HERE = Path(__file__).parent / "host"
_LIBRARY = "usr/lib/ongpu-lab"
_UNIT = "ongpu-lab-hardware.service"
# Script here -> where it goes
_SCRIPTS = {
    "common.sh": f"{_LIBRARY}/common.sh",
    "boot.sh": f"{_LIBRARY}/boot",
    "insert.sh": f"{_LIBRARY}/insert",
    "rmmod.sh": f"{_LIBRARY}/rmmod",
    "gpu.sh": f"{_LIBRARY}/gpu",
    "kmsg.sh": f"{_LIBRARY}/kmsg",
    "firmware.sh": f"{_LIBRARY}/firmware",
    "nouveau.sh": f"{_LIBRARY}/nouveau",
    "mokutil.sh": f"{_LIBRARY}/mokutil",
    "update-initramfs.sh": f"{_LIBRARY}/update-initramfs",
    "modprobe.sh": "usr/sbin/modprobe",
    "lsmod.sh": "usr/sbin/lsmod",
    "rmmod-command.sh": "usr/sbin/rmmod",
    "insmod-command.sh": "usr/sbin/insmod",
}
_HOST_INI = """\
# This file marks a host of the ongpu lab: its stand-ins for drivers and programs run only where it is.
# [dkms]
# fail = yes             every build of a kernel module fails
# fail_for = RELEASE     those for this kernel; VERSION/RELEASE: only of this version of the driver
# [secure_boot]
# enforced = yes         booted through EFI, and only modules of known keys are loaded
# console = enrol        an operator at the console says yes to the MOK manager
# [host]
# nouveau = yes          the initramfs loads it, unless it is told otherwise
[host]
profile = {profile}
"""
_READ_KMSG = "[Journal]\nReadKMsg=yes\n"


def profiles() -> tuple[str, ...]:
    """The GPU profiles by name; `none` has no GPU."""
    return profile_files.names()


def equip(root: Path, profile: str, cache: Path) -> None:
    """Write the simulated hardware of `profile` into a host's root file system, before it boots.

    May be repeated; the files in /etc/ongpu-lab are then set back to the profile. `cache` is not needed today. Raises
    LabError for an unknown profile.
    """
    ini = profile_files.text(profile)
    _write(root / "etc/ongpu-lab/host.ini", _HOST_INI.format(profile=profile))
    _write(root / "etc/ongpu-lab/gpus.ini", ini)
    for source, target in _SCRIPTS.items():
        _write(root / target, (_HERE / source).read_text(), 0o755)
    _link(root / _LIBRARY / "real/modprobe", "/bin/kmod")
    shutil.rmtree(root / _LIBRARY / "pci", ignore_errors=True)
    for device in pci.devices(profile_files.gpus(ini), profile_files.switches(ini)):
        for name, data in device.files().items():
            _write(root / _LIBRARY / "pci/devices" / device.address / name, data)
    (root / _LIBRARY / "pci/drivers").mkdir(parents=True, exist_ok=True)
    _write(root / "etc/systemd/system" / _UNIT, (_HERE / _UNIT).read_text())
    _link(root / "etc/systemd/system/sysinit.target.wants" / _UNIT, f"../{_UNIT}")
    _write(root / "etc/systemd/journald.conf.d/50-ongpu-lab.conf", _READ_KMSG)
    kernel = platform.release()
    if not support.packageable(kernel):
        (root / "usr/lib/modules" / kernel / "build").mkdir(parents=True, exist_ok=True)


def nspawn_arguments(host_dir: Path, profile: str, cache: Path) -> list[str]:
    """Further arguments for systemd-nspawn, and the files that they need, in `host_dir` (outside of the host's root).

    One is a FIFO that stands for /dev/kmsg: **the starter must hold `host_dir/kmsg` open for reading and writing**
    (`os.open(path, os.O_RDWR | os.O_NONBLOCK)`, never read from) from before the first boot until the host is gone for
    good, or the host's PID 1 waits for a reader at boot.
    """
    host_dir.mkdir(parents=True, exist_ok=True)
    fifo = host_dir / "kmsg"
    if not (fifo.exists() and stat.S_ISFIFO(fifo.stat().st_mode)):
        fifo.unlink(missing_ok=True)
        os.mkfifo(fifo, 0o600)
    return [f"--bind={fifo}:/dev/kmsg"]


def _write(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """A new file, so that no link of the base tree is followed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
