"""What the kernel said about GPUs since boot: from the journal, else from its ring buffer."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from ongpu.host.gpu import pci_address
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.system import KernelLine, KernelLog, Xid
from ongpu.probe.output import Output
from ongpu.probe.section import Section
from ongpu.probe.values import to_float, to_int, to_time

FIRST, LAST = 150, 350  # of a flood: the first Xid of a burst is the cause, the last lines are the present state

# The driver (NVRM, nvidia-uvm, nvidia-nvswitch3: SXid), its firmware, other owners of the GPU, refused modules, PCI
# windows that are too small, the machine's sleep (after which CUDA may fail), and processes of Ollama that the kernel
# killed. NVIDIA/open-gpu-kernel-modules (kernel-open/nvidia/nv.c, src/nvidia/.../osapi.c); Linux
# (kernel/module/signing.c, drivers/pci/setup-res.c, kernel/power/suspend.c).
KEEP = (
    r"NVRM|[Nn][Vv][Ii][Dd][Ii][Aa]|nouveau|nova_core|vfio-pci|[Xx]id \(|[Mm]odule verification failed"
    r"|[Ll]oading of .* is rejected|Lockdown: (modprobe|insmod)|BAR [0-9]+.*(no space|failed to assign|can.t assign)"
    r"|PM: (suspend|hibernation).* (entry|exit)|AER: .*([Uu]ncorrect|[Ff]atal)"
    r"|Killed process [0-9]+ \((ollama|llama)|(ollama|llama-server)[^ ]*\[[0-9]+\]"
)

# awk counts all lines, so that an empty answer tells "nothing about GPUs" from "no kernel log here". Its exit code
# leads to dmesg, as does a journal that was not read to its end, where the newest lines are. journalctl's errors and
# hints go past it: they are on standard error.
SHELL = rf"""
keep() {{
  awk 'BEGIN {{ first = {FIRST}; last = {LAST} }}
    /^-- / {{ next }}
    /^@cut / {{ print; cut = 1; next }}
    {{ all++ }}
    /{KEEP}/ {{ line = substr($0, 1, 600); if (++hits <= first) print line; else kept[hits % last] = line }}
    END {{
      from = hits - last + 1; if (from <= first) from = first + 1
      for (i = from; i <= hits; i++) print kept[i % last]
      printf "@lines %d %d\n", all, hits; exit all == 0 || cut
    }}'
}}
journal() {{ {{ bound 6 journalctl -k -b --no-pager -o short-unix || printf '@cut %s\n' "$?"; }} | keep; }}
ring() {{
  read -r up rest </proc/uptime; printf '@now %s %s\n' "$(date +%s)" "$up"
  {{ bound 3 dmesg || printf '@cut %s\n' "$?"; }} | keep
}}
if need journal awk; then
  if ! {{ need journal journalctl && p journal journal; }}; then need ring dmesg && p ring ring; fi
fi
"""

# 1795350281.058275 vm kernel: NVRM: No NVIDIA GPU found.            journalctl -o short-unix (systemd 252)
# 1795350301.058275 vm NVRM: Xid (PCI:0000:01:00): 79, …             the same, written to /dev/kmsg by a process
_JOURNAL = re.compile(r"^(\d{1,11}\.\d{1,6}) \S+ (?:kernel: )?(.*)$")
# [   87.165422] NVRM: No NVIDIA GPU found.                          dmesg (util-linux 2.38, busybox 1.35)
_RING = re.compile(r"^(?:<\d+>)?\[ *(\d{1,10}\.\d{1,6})\] (.*)$")
_NOW = re.compile(r"^@now (\d{1,11}) (\d{1,10}\.\d{1,6})$", re.MULTILINE)
# @cut 124: journalctl or dmesg failed with this code; what came before is not the whole log
_LATE = re.compile(r"^@cut (?:124|137|143)$", re.MULTILINE)
_COUNT = re.compile(r"^@lines (\d{1,10}) (\d{1,10})$", re.MULTILINE)
# NVRM: Xid (PCI:0000:05:00): 79, pid=1234, name=ollama, GPU has fallen off the bus.
# NVRM: Xid (PCI:0000:01:00 GPU-I:05): 94, pid=7194, Contained: CE User Channel (0x9). RST: No, D-RST: No     (MIG)
# NVRM: Xid (0000:03:00): 14, Channel 00000001                                                  (very old drivers)
_XID = re.compile(
    r"^NVRM(?:\[\d+\])?: Xid \(((?:PCI:)?[0-9A-Fa-f:.]{1,24})(?: GPU-I:[0-9A-Fa-f]+)?\): (\d{1,4}),?\s*(.*)$"
)
# journalctl for a user in none of the groups that may read the system journal (systemd 252)
_BLIND = ("not seeing messages from other users and the system", "insufficient permissions")
ALLOW = "add the user to the group systemd-journal, or run the probe as root (sudo)"


def parse(output: Output) -> Known[KernelLog] | Absent | Unreadable:
    """Unreadable, not empty, when no line of this boot could be seen: an empty log of a running kernel is none."""
    journal, ring = output["journal"], output["ring"]
    for part, source in ((journal, "journalctl -k -b"), (ring, "dmesg")):
        count = _COUNT.search(part.text) if part.rc == 0 else None
        if count and (to_int(count[1]) or 0) > 0 and not (part is journal and _blind(part.text)):
            boot = _boot_time(part.text) if part is ring else None
            return Known(_log(part.lines, boot, to_int(count[2]) or 0), source)
    if journal.timed_out and "ring" not in output.parts:
        return Unreadable("the kernel log gave no answer within its time limit")
    refusals = _remarks(ring.text)
    denied = _blind(journal.text) or any("not permitted" in line or "ermission denied" in line for line in refusals)
    why = f"journalctl -k: {_why(journal.text) or journal.trouble}; dmesg: {_why(ring.text) or ring.trouble}"
    return Unreadable(why, ALLOW if denied else "")


def _remarks(text: str) -> list[str]:
    """What the programs said themselves: neither messages of the kernel nor lines of ours."""
    lines = [line for line in text.split("\n") if line and not line.startswith((" ", "@", "-- "))]
    return [line for line in lines if not _JOURNAL.match(line) and not _RING.match(line)]


def _blind(text: str) -> bool:
    return any(words in line for line in _remarks(text) for words in _BLIND)


def _why(text: str) -> str:
    """The first thing it said that is no advice."""
    if _blind(text):
        return "this user may not read the system journal"
    if _LATE.search(text):
        return "no answer within its time limit"
    if said := _remarks(text):
        return said[0][:200]
    return "no message of this boot" if _COUNT.search(text) else ""


def _boot_time(text: str) -> datetime | None:
    now = _NOW.search(text)
    at, up = (to_time(now[1]), to_float(now[2])) if now else (None, None)
    return None if at is None or up is None else at - timedelta(seconds=min(up, at.timestamp()))


def _log(lines: list[str], boot: datetime | None, hits: int) -> KernelLog:
    kept: list[KernelLine] = []
    for line in lines:
        if found := _JOURNAL.match(line):
            kept.append(KernelLine(at=to_time(found[1]), text=found[2]))
        elif found := _RING.match(line):
            after = timedelta(seconds=float(found[1]))
            at = boot + after if boot and boot.year < 9000 else None
            kept.append(KernelLine(at=at, text=found[2]))
        elif line.startswith(" ") and kept:  # a message of several lines; what is not indented is journalctl's own
            kept.append(KernelLine(at=kept[-1].at, text=line.strip()))
    xids = tuple(xid for line in kept if (xid := _xid(line)))
    return KernelLog(lines=tuple(kept), xids=xids, dropped=max(hits - FIRST - LAST, 0))


def _xid(line: KernelLine) -> Xid | None:
    found = _XID.match(line.text)
    pci = pci_address(found[1]) if found else None
    return Xid(at=line.at, pci=pci, code=int(found[2]), text=found[3]) if found and pci else None


SECTION = Section(name="kernel_log", shell=SHELL, parse=parse, seconds=12, max_bytes=400_000)
