"""Downloads crawl: 100 kB/s from every site."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

OF_LAB = True


def apply(target: Target) -> None:
    target.site_knob("*", "bytes_per_second", "100000")


def clear(target: Target) -> None:
    target.site_knob("*", "bytes_per_second", None)
