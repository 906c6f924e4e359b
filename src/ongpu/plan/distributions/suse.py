"""Names of the driver's packages on SLES 15 and openSUSE Leap 15.

Sources: NVIDIA driver installation guide (SLES, openSUSE); SUSE, "Installing NVIDIA GPU drivers" (kernel modules signed
by SUSE, with the user space of the same version from NVIDIA's repository). G06 is the generation up to driver 580, G07
the one after it.
"""

from __future__ import annotations

import re

from ongpu.plan.choice.branches import major
from ongpu.plan.context import Halt
from ongpu.plan.distributions.base import PackageSet, Wanted

_LAST_G06 = 580
# 6.4.0-150600.23.25-default
_GENERATION = re.compile(r"-(G\d{2})(?=-|$)")
_KERNEL = re.compile(r"-(default|azure|64kb)$")


def packages(wanted: Wanted) -> PackageSet:
    """Compute only, no display. Raises Halt("unsupported")."""
    if wanted.source == "distro":
        raise Halt(
            "unsupported",
            f"{wanted.system.os_name or 'SUSE'} has the kernel modules only, the rest of the driver comes from "
            "NVIDIA's repository: declare source: nvidia, which installs the modules that SUSE has signed",
        )
    new = major(wanted.branch) > _LAST_G06
    generation, tools = ("G07", "nvidia-compute-utils-G07") if new else ("G06", "nvidia-compute-utils-G06")
    found = _KERNEL.search(wanted.system.kernel)
    kernel = found[1] if found else "default"
    fabric = ("nvidia-fabricmanager",) if wanted.fabric else ()
    old = tuple(p.name for p in wanted.packages.installed if _generation(p.name) not in ("", generation))
    if wanted.flavour == "proprietary":
        module = f"nvidia-driver-{generation}-kmp-{kernel}"
        return PackageSet(required=(tools, module), obsolete=old, companions=fabric)
    return PackageSet(
        companions=fabric,
        obsolete=old,
        required=(tools, "nv-prefer-signed-open-driver" + ("-G07" if new else "")),
        also=(f"nvidia-open-driver-{generation}-signed-cuda-kmp-{kernel}",),
    )


def _generation(name: str) -> str:
    """Of a package of the driver; empty for those that are of none."""
    if name == "nv-prefer-signed-open-driver":
        return "G06"
    found = _GENERATION.search(name)
    return found[1] if found else ""
