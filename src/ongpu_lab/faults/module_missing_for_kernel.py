"""A new kernel without the driver's modules: their files are gone and DKMS has built none."""

from __future__ import annotations

from ongpu_lab.faults import _kernel, _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _service.require(target)
    _kernel.unload(target)
    target.sh("""
version=$(dpkg-query -W -f '${Version}' libnvidia-ml1)
dkms uninstall -m nvidia -v "${version%-*}" -k "$(uname -r)" >/dev/null 2>&1 || :
rm -rf "/lib/modules/$(uname -r)/updates/dkms" /var/lib/dkms/nvidia/*/"$(uname -r)"
depmod
""")
    _service.restart_at_once(target)


def clear(target: Target) -> None:
    target.sh('dkms autoinstall -k "$(uname -r)" >/dev/null')
    _kernel.load(target)
    _service.restart(target)
