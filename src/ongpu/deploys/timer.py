"""Only the timer of the drift check: for a controller, or for hosts that are configured by other means."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from ongpu.operations import watch


@deploy("ongpu timer")
def timer() -> None:
    """What `watch` declares for each host."""
    watch.timer(name="drift check")
