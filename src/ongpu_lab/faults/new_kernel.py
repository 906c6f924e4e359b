"""A later kernel was installed, without its headers: it boots next, and the driver has no module for it."""

from __future__ import annotations

from ongpu_lab.faults.base import Target
from ongpu_lab.vendor.support import next_release


def release(target: Target) -> str:
    """The later kernel of this host."""
    return next_release(target.sh("uname -r").strip())


def apply(target: Target) -> None:
    target.sh(f"""
modules=/lib/modules/{release(target)}
mkdir -p "$modules"
for index in order builtin builtin.modinfo; do : >"$modules/modules.$index"; done
depmod {release(target)}
: >/boot/vmlinuz-{release(target)}
""")


def clear(target: Target) -> None:
    target.sh(f"""
DEBIAN_FRONTEND=noninteractive apt-get -qq -y purge linux-headers-{release(target)} >/dev/null 2>&1 || :
rm -rf /boot/vmlinuz-{release(target)} /lib/modules/{release(target)}
""")
