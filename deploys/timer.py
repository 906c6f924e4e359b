"""pyinfra inventory.py deploys/timer.py: a systemd timer that runs ongpu drift, where `watch` is declared."""

from ongpu.deploys.timer import timer

timer()
