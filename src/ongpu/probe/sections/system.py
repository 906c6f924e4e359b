"""The machine itself: operating system, kernel, clock, memory, disks, and which tools are there."""

from __future__ import annotations

import re
import shlex
from datetime import datetime

from ongpu.host.paths import UNIT
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.system import Disk, System
from ongpu.probe.output import Output, Part
from ongpu.probe.section import Section
from ongpu.probe.values import to_float, to_int, to_time

_TOOLS = (
    "apt-cache apt-get awk base64 bash curl dkms dmesg dnf docker dpkg dpkg-query dracut find flock getent gpg gpgv "
    "grep gzip install journalctl ldconfig lspci modinfo modprobe mokutil nvidia-ctk nvidia-modprobe "
    "nvidia-persistenced nvidia-smi podman python3 rpm rpm-ostree sed setsid sha256sum snap ss stat sudo systemctl "
    "systemd-run tar timeout ubuntu-drivers update-ca-certificates update-initramfs useradd wget yum zstd zypper"
)
TOOLS = tuple(_TOOLS.split())

# The directories that ongpu and Ollama write to, also where they are not mounts of their own.
DIRECTORIES = "/ /usr /usr/local /usr/share/ollama /opt /var /var/lib /var/lib/ollama /tmp /home"

SHELL = rf"""
facts() {{
  show /proc/sys/kernel/random/boot_id /proc/uptime
  while read -r key value rest; do
    case $key in MemTotal:) printf 'memory\t%s\n' "$value"; break ;; esac
  done </proc/meminfo
  if [ -d /run/systemd/system ]; then printf 'systemd\tyes\n'; else printf 'systemd\tno\n'; fi
  if [ -e /run/reboot-required ] || [ -e /var/run/reboot-required ]; then printf 'reboot\tyes\n'
  else printf 'reboot\tno\n'; fi
}}
tools() {{ for tool in {_TOOLS}; do have "$tool" && printf '%s\n' "$tool"; done; :; }}
models() {{
  have systemctl && [ -d /run/systemd/system ] || return 0
  bound 3 systemctl show -p Environment {UNIT} 2>/dev/null | sed -n 's/.*OLLAMA_MODELS=\([^" ]*\).*/\1/p'
}}
release=/etc/os-release; [ -r "$release" ] || release=/usr/lib/os-release
p os cat "$release"
p uname uname -nrm
p id id
p clock date -u +%s
p facts facts
p tools tools
need virt systemd-detect-virt && p virt systemd-detect-virt
dirs=
for dir in {DIRECTORIES} $(models); do [ -d "$dir" ] && dirs="$dirs $dir"; done
p dirs printf '%s\n' $dirs
p disks bound 3 df -Pk $dirs
p mounts bound 3 df -Pk
"""

# uid=1000(deploy) gid=1000(deploy) groups=1000(deploy),27(sudo)      id (coreutils 9.1); no name without an account
_ID = re.compile(r"^uid=(\d{1,10})(?:\(([^)]*)\))?")
# /dev/vda1      264212084 23481560  82909352      23% /       df -Pk (coreutils 9.1, busybox 1.35); any name may
# hold spaces, the numbers may be `-`.
_DF = re.compile(r"^(.+?)\s+(\d{1,18}|-)\s+(\d{1,18}|-)\s+(-?\d{1,18}|-)\s+(?:\d+%|-)\s+(/.*)$")
# Not a place for models. `overlay` may be: it is the root of containers and of test hosts.
_PSEUDO = {"tmpfs", "devtmpfs", "udev", "none", "shm", "efivarfs", "devfs", "run", "dev", "proc", "sysfs", "cgroup"}


def parse(output: Output) -> Known[System] | Absent | Unreadable:
    """A system without os-release or uname is Unreadable; details may be so one by one."""
    for name in ("os", "uname", "id", "clock", "facts", "tools"):
        if output[name].trouble:
            return Unreadable(f"{_SAYS[name]}: {output[name].trouble}")
    release = os_release(output["os"].text)
    words = output["uname"].text.split()
    user = _ID.match(output["id"].text)
    clock = to_time(output["clock"].text)
    if len(words) != 3 or user is None or clock is None:
        return Unreadable(f"unexpected answer: uname {words}, id {output['id'].text[:80]!r}, date {clock}")
    facts = dict(line.split("\t", 1) for line in output["facts"].lines if "\t" in line)
    found = set(output["tools"].lines)
    return Known(
        System(
            hostname=words[0],
            os_id=release.get("ID", "linux"),
            os_version=release.get("VERSION_ID", ""),
            os_name=release.get("PRETTY_NAME", release.get("NAME", "")),
            os_like=tuple(release.get("ID_LIKE", "").split()),
            kernel=words[1],
            arch=words[2],
            boot_id=_text(facts, "/proc/sys/kernel/random/boot_id"),
            booted_at=_booted(facts, clock.timestamp()),
            clock=clock,
            user=user[2] or user[1],
            uid=int(user[1]),
            virtualization=_virtualization(output["virt"]),
            memory_bytes=_memory(facts),
            disks=_disks(output),
            tools={tool: tool in found for tool in TOOLS},
            init_systemd=facts.get("systemd") == "yes",
            reboot_required=facts.get("reboot") == "yes",
        ),
        release.get("PRETTY_NAME", "/etc/os-release"),
    )


_SAYS = {"os": "/etc/os-release", "uname": "uname", "id": "id", "clock": "date", "facts": "/proc", "tools": "tools"}


def os_release(text: str) -> dict[str, str]:
    """os-release(5): shell assignments, quoted as the shell does. A line that is none is left out."""
    values: dict[str, str] = {}
    for line in text.split("\n"):
        name, equals, rest = line.strip().partition("=")
        if not equals or name.startswith("#") or len(rest) > 2000:
            continue
        try:
            words = shlex.split(rest)
        except ValueError:  # a quote that is not closed
            continue
        values[name] = words[0] if words else ""
    return values


def _text(facts: dict[str, str], name: str) -> Reading[str]:
    value = facts.get(name, "")
    return Known(value, name) if value else Unreadable(f"{name} cannot be read")


def _booted(facts: dict[str, str], clock: float) -> Reading[datetime]:
    uptime = to_float(facts.get("/proc/uptime", "").split(" ")[0])
    at = None if uptime is None else to_time(f"{max(clock - uptime, 0):.0f}")
    return Known(at, "/proc/uptime") if at else Unreadable("/proc/uptime cannot be read")


def _memory(facts: dict[str, str]) -> Reading[int]:
    kib = to_int(facts.get("memory", ""))
    return Unreadable("/proc/meminfo cannot be read") if kib is None else Known(kib * 1024, "/proc/meminfo")


def _virtualization(part: Part) -> Reading[str]:
    """It exits with 1 for `none`."""
    if part.missing or part.rc is None or part.timed_out or len(part.lines) != 1 or part.rc > 1:
        return Unreadable(f"systemd-detect-virt: {part.trouble or 'unexpected answer'}")
    return Known(part.lines[0], "systemd-detect-virt")


def _disks(output: Output) -> tuple[Disk, ...]:
    """Mounts, and over them the directories: df prints one row for each, in their order."""
    disks = {}
    for device, disk in _rows(output["mounts"]):
        if disk.total_bytes and device not in _PSEUDO and not disk.path.startswith(("/snap/", "/run/", "/dev")):
            disks[disk.path] = disk
    rows, directories = _rows(output["disks"]), output["dirs"].lines
    if len(rows) == len(directories):
        for directory, (_, disk) in zip(directories, rows, strict=True):
            disks[directory] = Disk(path=directory, free_bytes=disk.free_bytes, total_bytes=disk.total_bytes)
    return tuple(disks[path] for path in sorted(disks))


def _rows(part: Part) -> list[tuple[str, Disk]]:
    rows = []
    for line in part.short_lines:
        if found := _DF.match(line):
            device, total, _, free, path = found.groups()
            numbers = [max(to_int(text) or 0, 0) * 1024 for text in (free, total)]
            rows.append((device, Disk(path=path, free_bytes=numbers[0], total_bytes=numbers[1])))
    return rows


SECTION = Section(name="system", shell=SHELL, parse=parse, seconds=12)
