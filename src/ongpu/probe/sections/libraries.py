"""The driver's user-space libraries on the loader path: what NVML and CUDA programs would load."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ongpu.host.gpu import Libraries, Library
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe.output import Output
from ongpu.probe.section import Section

# The exit code that counts is ldconfig's; sed's is always 0. Only hits cost a readlink.
SHELL = r"""
cache() {
  { ldconfig -p || printf '@failed %s\n' "$?"; } |
    sed -n -e '/^@failed/p' -e '/^[[:space:]]*lib\(nvidia-ml\|cuda\)\.so\.1 /p' |
    while read -r line; do
      case $line in @*) printf '%s\n' "$line" ;; *) printf '%s => %s\n' "$line" "$(readlink -f "${line##*=> }")" ;; esac
    done
}
need cache ldconfig && p cache cache
"""

# libcuda.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libcuda.so.1 => /usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05
# (ldconfig of glibc 2.36, and the file that readlink found)
_LINE = re.compile(r"^(\S+) \((\S+?)(?:,[^)]*|, [^)]*)?\) => (\S+) => (\S*)$")
_KIND = re.compile(r"\(libc6,(?:x86-64|AArch64|64bit)\b")
_VERSION = re.compile(r"\.so\.(\d{1,4}(?:\.\d{1,4})+)$")


def parse(output: Output) -> Known[Libraries] | Absent | Unreadable:
    """The first hit of ldconfig's cache is the one that a program gets; 64 bits before 32."""
    cache = output["cache"]
    if cache.trouble:
        return Unreadable(f"ldconfig -p: {cache.trouble}")
    failed = next((line for line in cache.lines if line.startswith("@failed")), "")
    if failed:
        return Unreadable(f"ldconfig -p: {cache.lines[0][:200]} (exit {failed[8:]})")
    return Known(
        Libraries(nvml=_find(cache.short_lines, "libnvidia-ml.so.1"), cuda=_find(cache.short_lines, "libcuda.so.1")),
        "ldconfig -p",
    )


def _find(lines: Sequence[str], soname: str) -> Reading[Library]:
    mine = [line for line in lines if line.startswith(f"{soname} (")]
    for line in [line for line in mine if _KIND.search(line)] or mine:
        if found := _LINE.match(line):
            resolved = found[4] or found[3]
            version = _VERSION.search(resolved)
            return Known(
                Library(path=found[3], resolved=resolved, version=version[1] if version else ""), "ldconfig -p"
            )
    if mine:
        return Unreadable(f"ldconfig -p: unexpected line {mine[0][:200]!r}")
    return Absent(f"{soname} is not on the loader path (ldconfig -p)")


SECTION = Section(name="libraries", shell=SHELL, parse=parse, seconds=5)
