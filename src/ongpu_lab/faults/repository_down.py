"""NVIDIA's package repository answers 503 to everything.

`apt-get update` warns about it and exits with 0, as apt does.
"""

from __future__ import annotations

from ongpu_lab.faults.base import Target

OF_LAB = True


def apply(target: Target) -> None:
    target.site_knob("developer.download.nvidia.com", "status", "503")


def clear(target: Target) -> None:
    target.site_knob("developer.download.nvidia.com", "status", None)
