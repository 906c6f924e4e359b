"""Reboot a host and wait until it is really another boot.

Why not pyinfra's server.reboot: it compares uptimes and can reconnect to the dying sshd (docs/design.md,
"pyinfra"). A new boot_id is the only proof.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from ongpu.engine.cell import Trouble
from ongpu.engine.remote import run_script
from ongpu.errors import Exit
from ongpu.host.duration import in_words
from ongpu.plan.types import Reboot

if TYPE_CHECKING:
    from pyinfra.api.host import Host

_BOOT_ID = "cat /proc/sys/kernel/random/boot_id\n"
# In the background and detached: the answer comes back before the connection goes down.
_REBOOT = (
    "{ cat /proc/sys/kernel/random/boot_id; sync; "
    "( sleep 1; systemctl reboot || reboot ) </dev/null >/dev/null 2>&1 & } </dev/null\n"
)


def reboot(host: Host, step: Reboot) -> Trouble | None:
    """None once a login works and /proc/sys/kernel/random/boot_id has changed, within `step.limit`."""
    before = run_script(host, _REBOOT, 30)
    old = before.text.strip()
    if before.failure or not old:
        return Trouble(f"could not reboot: {before.failure or 'no boot_id'}", Exit.FINDINGS)
    deadline = time.monotonic() + step.limit.total_seconds()
    last = "it did not go down"
    while time.monotonic() < deadline:
        time.sleep(1)
        new, last = _boot_id(host)
        if new and new != old:
            return None
        if new == old:
            last = "it did not go down"
    return Trouble(f"rebooted, but not back within {in_words(step.limit)}: {last}", Exit.FINDINGS)


def _boot_id(host: Host) -> tuple[str, str]:
    with contextlib.suppress(Exception):  # a dead connection may fail in any way while it is closed
        host.disconnect()
    host.connected = False
    try:
        host.connect(show_errors=False, raise_exceptions=True)
    except Exception as error:  # noqa: BLE001 - ConnectError and whatever a half-booted sshd provokes
        return "", f"{error}"
    answer = run_script(host, _BOOT_ID, 20)
    return ("", answer.failure) if answer.failure else (answer.text.strip(), "")
