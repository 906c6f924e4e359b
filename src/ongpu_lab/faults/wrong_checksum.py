"""Every download of an Ollama release is changed on its way: its checksum is wrong.

The list of checksums itself stays right.
"""

from __future__ import annotations

from ongpu_lab.faults.base import Target

OF_LAB = True
_HOST = "release-assets.githubusercontent.com"


def apply(target: Target) -> None:
    for section in _archives(target):
        target.site_knob(section, "corrupt", "yes")


def clear(target: Target) -> None:
    for section in _archives(target):
        target.site_knob(section, "corrupt", None)


def _archives(target: Target) -> list[str]:
    site = target.lab.dir / "www" / "github.com"
    archives = [path for path in site.glob("*/*/releases/download/*/*") if path.name != "sha256sum.txt"]
    return [f"{_HOST}/{path.relative_to(site)}" for path in sorted(archives)]
