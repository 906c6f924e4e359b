"""What modprobe.d and the kernel's command line say about NVIDIA's modules and the drivers that compete with them."""

from __future__ import annotations

import re

from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.use import Modprobe, ModprobeLine
from ongpu.probe import octets
from ongpu.probe.output import Output
from ongpu.probe.section import Section

# In the order of modprobe.d(5): a file in an earlier directory hides one of the same name in a later one.
DIRECTORIES = "/etc/modprobe.d /run/modprobe.d /usr/local/lib/modprobe.d /usr/lib/modprobe.d /lib/modprobe.d"

# All files are named, also those without a word about us: they may hide another.
SHELL = rf"""
files() {{
  for dir in {DIRECTORIES}; do
    [ "$dir" = /lib/modprobe.d ] && [ -L /lib ] && continue
    for file in "$dir"/*.conf; do
      [ -e "$file" ] || [ -L "$file" ] || continue
      if [ -r "$file" ] || [ ! -e "$file" ]; then printf 'file %s\n' "$file"; else printf 'blocked %s\n' "$file"; fi
    done
  done
}}
lines() {{
  for dir in {DIRECTORIES}; do
    [ "$dir" = /lib/modprobe.d ] && [ -L /lib ] && continue
    set -- "$dir"/*.conf
    [ -e "$1" ] && grep -HsiE '^[[:space:]]*[a-z]+[[:space:]].*(nvidia|nouveau|nova|rivafb)' "$@" | cut -c1-400
  done; :
}}
p files files
p lines lines
p cmdline show /proc/cmdline
"""

# /etc/modprobe.d/blacklist.conf:blacklist nouveau
_LINE = re.compile(r"^(/[^:]{1,300}\.conf):\s*(\w{1,20})\s+(\S{1,100})(?:\s+(.{0,400}))?$")

_PARAMETER = re.compile(
    r"(?:modprobe\.blacklist|module_blacklist|rd\.driver\.blacklist|rdblacklist|nomodeset|nomodule|module\.sig_enforce"
    r"|lockdown|pci|iommu|intel_iommu|amd_iommu|nouveau\.|nova|nvidia)"
)


def parse(output: Output) -> Known[Modprobe] | Absent | Unreadable:
    """Only lines of files that are in force."""
    for name in ("files", "lines"):
        if output[name].trouble:
            return Unreadable(f"modprobe.d: {output[name].trouble}")
    blocked = [line[8:] for line in output["files"].lines if line.startswith("blocked ")]
    if blocked:
        return Unreadable(f"{blocked[0]} may not be read", octets.AS_ROOT)
    if not output["cmdline"].ok:
        return Unreadable("the look at modprobe.d was cut off")
    in_force: dict[str, str] = {}
    for line in output["files"].lines:
        path = line.removeprefix("file ")
        in_force.setdefault(path.rsplit("/", 1)[-1], path)
    lines = tuple(
        ModprobeLine(path=found[1], verb=found[2].lower(), module=found[3], rest=(found[4] or "").strip())
        for line in output["lines"].short_lines
        if (found := _LINE.match(line)) and in_force.get(found[1].rsplit("/", 1)[-1]) == found[1]
    )
    return Known(Modprobe(lines=lines, parameters=_parameters(output)), "modprobe.d, /proc/cmdline")


def _parameters(output: Output) -> Reading[tuple[str, ...]]:
    """Not the whole line: it may hold secrets."""
    _, tab, text = output["cmdline"].text.partition("\t")
    if not tab:
        return Unreadable("/proc/cmdline cannot be read")
    return Known(tuple(word for word in text.split() if _PARAMETER.match(word)), "/proc/cmdline")


SECTION = Section(name="modprobe", shell=SHELL, parse=parse, seconds=5)
