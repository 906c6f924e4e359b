"""GitHub does not answer: Ollama's releases cannot be downloaded.

The web server closes connections to github.com and its download host without a word.
"""

from __future__ import annotations

from ongpu_lab.faults.base import Target

OF_LAB = True
_HOSTS = ("github.com", "release-assets.githubusercontent.com")


def apply(target: Target) -> None:
    for host in _HOSTS:
        target.site_knob(host, "down", "yes")


def clear(target: Target) -> None:
    for host in _HOSTS:
        target.site_knob(host, "down", None)
