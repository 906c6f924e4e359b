"""What pyinfra and paramiko do wrong in a way that operators would see. Applied when the engine is imported."""

from __future__ import annotations

import contextlib
from typing import Any

from paramiko.proxy import ProxyCommand


def close_ended_proxies_quietly() -> None:
    """A ProxyCommand that has ended (host down, reboot) makes paramiko 4.0's `close` raise ProcessLookupError; at the
    end of the run that is a traceback on the operator's screen, after all was said (paramiko/proxy.py)."""
    close = ProxyCommand.close
    if getattr(close, "ongpu", False):
        return

    def quiet(self: Any) -> None:
        with contextlib.suppress(ProcessLookupError):
            close(self)

    quiet.ongpu = True  # type: ignore[attr-defined]
    ProxyCommand.close = quiet  # type: ignore[method-assign]


close_ended_proxies_quietly()
