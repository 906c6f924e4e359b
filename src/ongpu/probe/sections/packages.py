"""Packages of the driver and of what ongpu needs, their holds, and the versions that apt would install now."""

from __future__ import annotations

import re

from ongpu.host.paths import OFFERS
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.system import Package, Packages
from ongpu.probe.output import Output, Part
from ongpu.probe.section import Section

# Whose state matters here, by the beginning of the name (extended regular expression).
OURS = (
    "nvidia|libnvidia|libcuda|libnvcuvid|libnvoptix|libxnvctrl|cuda-(drivers|keyring|compat|toolkit-[0-9])|firmware-nvidia"
    "|kmod-nvidia|akmod-nvidia|nv-prefer|dnf-plugin-nvidia|xorg-x11-drv-nvidia|datacenter-gpu-manager|linux-modules-nvidia|linux-headers|linux-image"
    "|kernel-(core|devel|headers)|ollama|curl|wget|zstd|tar|gzip|gpg|mawk|coreutils|ca-certificates|dkms|kmod|mokutil"
    "|unattended-upgrades|xserver-xorg-video-nouveau"
)
DRIVER = "nvidia|nv-prefer|kmod-nvidia|libnvidia|libcuda|libnv|cuda-|firmware-nvidia|linux-modules-nvidia"
# What a driver may be installed from; with what is installed, these are asked for their candidates.
CANDIDATES = (
    "nvidia-driver-cuda nvidia-kernel-open-dkms nvidia-kernel-dkms nvidia-open cuda-drivers cuda-keyring "
    "libnvidia-compute nvidia-dkms-open nvidia-dkms nvidia-persistenced nvidia-modprobe nvidia-driver nvidia-smi "
    "nvidia-open-kernel-dkms libcuda1 firmware-nvidia-gsp nvidia-fabricmanager nvidia-fabricmanager-570 "
    "nvidia-fabricmanager-580"
)

# The first letter of dpkg's status is what is wanted (h = hold, as `apt-mark hold` sets it), the second what is
# there, a third is an error: one dpkg-query says all of `apt-mark showhold` and `dpkg --audit`.
# apt-cache would write its cache where it is outdated. The final cache is never used (from the other it is made in
# no time), the other one only when nothing that it is made from is newer.
SHELL = rf"""
dpkgs() {{
  {{ dpkg-query -W -f '${{db:Status-Abbrev}}|${{Package}}|${{Architecture}}|${{Version}}\n' 2>&1 ||
    printf '@failed %s\n' "$?"; }} |
    grep -E '^.([HUFWt]|.R)|^.[^n].\|({OURS}|dpkg\|)|^(@failed|dpkg-query:)'
}}
rpms() {{ rpm -qa --qf '%{{NAME}}\t%{{VERSION}}-%{{RELEASE}}\t%{{ARCH}}\n' | grep -E '^({OURS})'; :; }}
locks() {{
  for file in /etc/dnf/plugins/versionlock.list /etc/dnf/versionlock.toml /etc/yum/pluginconf.d/versionlock.list \
    /etc/zypp/locks; do
    [ -r "$file" ] && cat "$file"
  done; :
}}
repos() {{
  for file in /etc/yum.repos.d/*.repo /etc/zypp/repos.d/*.repo; do
    [ -r "$file" ] && sed -n -E 's/[[:space:]]//g; /^(\[|(baseurl|metalink|mirrorlist|enabled)=)/p' "$file"
  done; :
}}
offers() {{ if [ -r {OFFERS} ]; then cat {OFFERS}; fi; }}
# A host may have the other family's tools as well: whose is the system?
like() {{
  release=/etc/os-release; [ -r "$release" ] || release=/usr/lib/os-release
  grep -qE '^ID(_LIKE)?=.*(rhel|fedora|centos|amzn|suse|sles)' "$release" 2>/dev/null
}}
policy() {{
  cache=/var/cache/apt/srcpkgcache.bin; option=
  for file in /var/lib/apt/lists /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/sources.list.d/*; do
    [ "$cache" -nt "$file" ] || [ ! -e "$file" ] || option=-oDir::Cache::srcpkgcache=
  done
  bound 15 apt-cache -oDir::Cache::pkgcache= $option policy "$@"
}}
thin() {{ awk '/^[^ ]/ {{ ours = /^({DRIVER})/; print; next }}
  /^  Candidate: / {{ print; next }}
  ours && /^ +-?[0-9]+ [a-z]/ && !seen[$0]++'; }}
# Ubuntu's server branches carry their numbers in the names.
servers() {{
  grep -qE '^ID(_LIKE)?=.*ubuntu' /etc/os-release 2>/dev/null || return 0
  bound 5 apt-cache -oDir::Cache::pkgcache= -oDir::Cache::srcpkgcache= pkgnames nvidia- |
    grep -E '^nvidia-((headless|headless-no-dkms|utils|compute-utils)-[0-9]+-server(-open)?|fabricmanager-[0-9]+)$'
}}
asked() {{ policy "$@" 2>&1 || printf '@failed %s\n' "$?"; }}
candidates() {{ if have awk; then asked "$@" | thin; else asked "$@"; fi; }}
if have dpkg-query && [ -e /var/lib/dpkg/status ] && ! {{ have rpm && like; }}; then
  list=$(dpkgs)
  p dpkg printf '%s\n' "$list"
  if have apt-cache; then
    names=$(printf '%s\n' "$list" | sed -n -E 's/^.[^n].\|(({DRIVER})[^|]*)\|.*/\1/p')
    p apt candidates $(printf '%s\n' {CANDIDATES} "linux-headers-$(uname -r)" $names $(servers) | sort -u)
  fi
elif have rpm; then
  p rpm rpms
  p locks locks
  p repos repos
  p offers offers
  for tool in dnf yum zypper; do have "$tool" && {{ p manager printf '%s\n' "$tool"; break; }}; done
else
  p none printf 'no\n'
fi
"""

# ii |curl|amd64|7.88.1-10+deb12u14        dpkg-query (1.21): wanted, there, error (R or a space), each one letter
_DPKG = re.compile(r"^([uihrp])([ncHUFWti])([R ]?)\|([^|]+)\|([^|]+)\|([^|]*)$")
# nvidia-driver-cuda:                                    apt-cache policy (apt 2.6)
#   Candidate: 580.95.05-1
#      580.95.05-1 600
#         600 https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64  Packages
#         500 http://mirror.example/debian bookworm/non-free amd64 Packages
_NAME = re.compile(r"^([a-z0-9][a-z0-9.+-]*(?::[a-z0-9]+)?):$")
_CANDIDATE = re.compile(r"^  Candidate: (\S+)$")
_IS_DRIVER = re.compile(DRIVER)
_IS_THERE = "HUFWti"
_CARRIES = re.compile("nvidia|cuda|rpmfusion-nonfree", re.IGNORECASE)


def parse(output: Output) -> Known[Packages] | Absent | Unreadable:
    """Half an answer is none: a package that is missing in it would be taken for not installed."""
    if output["none"].ok:
        return Absent("neither dpkg nor rpm is installed")
    if "rpm" in output.parts:
        return _rpm(output)
    part = output["dpkg"]
    if trouble := _failed(part):
        return Unreadable(f"dpkg-query: {trouble}")
    rows = [found.groups() for line in part.lines if (found := _DPKG.match(line))]
    native = next((row[4] for row in rows if row[3] == "dpkg"), "")
    if not native:
        return Unreadable("dpkg-query: the package dpkg itself is missing in its answer")
    installed = tuple(
        Package(
            name=name if arch in (native, "all") else f"{name}:{arch}",
            version=version,
            status=f"{wanted}{state}{error.strip()}",
            held=wanted == "h",
        )
        for wanted, state, error, name, arch, version in rows
        if state in _IS_THERE and re.match(OURS, name)
    )
    broken = tuple(row[3] for row in rows if row[1] in "HUFWt" or row[2] == "R")
    apt = output["apt"]
    if "apt" not in output.parts and output.complete:
        return Known(_packages("dpkg", installed, {}, (), broken), "dpkg-query")
    if trouble := _failed(apt):
        return Unreadable(f"apt-cache policy: {trouble}")
    candidates, sources = _policy(apt.lines)
    return Known(_packages("apt", installed, candidates, sources, broken), "dpkg-query, apt-cache policy")


def _packages(
    manager: str,
    installed: tuple[Package, ...],
    candidates: dict[str, str],
    sources: tuple[str, ...],
    broken: tuple[str, ...],
) -> Packages:
    return Packages(manager=manager, installed=installed, candidates=candidates, sources=sources, broken=broken)


def _failed(part: Part) -> str:
    """Why the answer is not whole; `@failed CODE` stands for an exit code that a pipe would have swallowed."""
    if part.trouble:
        return part.trouble
    failed = next((line for line in part.lines if line.startswith("@failed")), "")
    if not failed:
        return ""
    code = failed[8:]
    if code in ("124", "143"):
        return "no answer within its time limit"
    said = [line for line in part.lines if line.startswith(("E:", "dpkg-query:"))]
    return f"exit {code}: {said[0][:200] if said else 'no reason given'}"


def _policy(lines: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    candidates: dict[str, str] = {}
    sources: dict[str, None] = {}
    name = ""
    for line in lines:
        if found := _NAME.match(line):
            name = found[1]
        elif (found := _CANDIDATE.match(line)) and name and found[1] != "(none)":
            candidates[name] = found[1]
        elif line.startswith(" ") and line.endswith(" Packages") and _IS_DRIVER.match(name):
            words = line.split()  # priority, URL, suite/component and architecture (not in a flat repository)
            sources[" ".join(words[1:3] if len(words) > 4 else words[1:2])] = None
    return candidates, tuple(sources)


def _rpm(output: Output) -> Known[Packages] | Unreadable:
    part = output["rpm"]
    if part.trouble or any(line.startswith("error:") for line in part.lines):
        return Unreadable(f"rpm -qa: {part.trouble or part.lines[0][:200]}")
    if output["locks"].trouble:
        return Unreadable(f"versionlock: {output['locks'].trouble}")
    rows = [tuple(line.split("\t")) for line in part.lines if line.count("\t") == 2]
    twice = _twice(rows)
    locks = output["locks"].text
    installed = tuple(
        Package(
            name=name, version=version, status="dup" if name in twice else "rpm", held=_locked(name, version, locks)
        )
        for name, version, _arch in rows
    )
    manager = output["manager"].text if output["manager"].ok else "rpm"
    return Known(
        _packages(manager, installed, _offers(output["offers"]), _repositories(output["repos"]), twice), "rpm -qa"
    )


def _twice(rows: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Driver packages of which an interrupted transaction has left two versions."""
    versions: dict[tuple[str, str], set[str]] = {}
    for name, version, arch in rows:
        if _IS_DRIVER.match(name):
            versions.setdefault((name, arch), set()).add(version)
    return tuple(name for (name, _), found in versions.items() if len(found) > 1)


def _locked(name: str, version: str, locks: str) -> bool:
    """nvidia-driver-3:580.95.05-1.el9.* (dnf 4: this version)     name = "nvidia-driver" (dnf 5, TOML)
    solvable_name: nvidia-persistenced (zypper)"""
    word, exact = re.escape(name), re.escape(version)
    pattern = rf'^(?:{word}-\d+:{exact}(?:\.|$)|name = "{word}"|solvable_name: {word}$)'
    return bool(re.search(pattern, locks, re.MULTILINE))


def _offers(part: Part) -> dict[str, str]:
    """# Managed by ongpu: ...     nvidia-driver-cuda 3:580.95.05-1.el9"""
    rows = [line.split(" ") for line in part.lines if not line.startswith("#")] if part.ok else []
    return {row[0]: row[1] for row in rows if len(row) == 2}


def _repositories(part: Part) -> tuple[str, ...]:
    """URLs of the enabled repositories that carry NVIDIA's packages, or RPM Fusion's. An ini file as yum has them."""
    found: dict[str, str] = {}
    off: set[str] = set()
    section = ""
    for line in part.lines if part.ok else []:
        key, _, value = line.partition("=")
        if line.startswith("["):
            section = line.strip("[]")
        elif key == "enabled" and value.lower() in ("0", "no", "false", "off"):
            off.add(section)
        elif key != "enabled" and _CARRIES.search(f"{section} {value}"):
            found[section] = value
    return tuple(url for name, url in found.items() if name not in off)


SECTION = Section(name="packages", shell=SHELL, parse=parse, seconds=20, max_bytes=200_000)
