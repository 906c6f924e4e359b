"""NVIDIA's device nodes, and whether the user who runs Ollama may open them."""

from __future__ import annotations

import re

from ongpu.host.gpu import DeviceNode, DeviceNodes
from ongpu.host.paths import UNIT
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe.output import Output
from ongpu.probe.section import Section

# stat's %t and %T are hexadecimal. The unit's user is asked from systemd, his groups from id.
SHELL = rf"""
nodes() {{
  set -- /dev/nvidia* /dev/nvidia-caps/*
  for node; do shift; [ -c "$node" ] && set -- "$@" "$node"; done
  [ "$#" = 0 ] || stat -L -c '%a %u %g %t %T %U %G %n' "$@"
}}
need nodes stat && p nodes nodes
if have systemctl && [ -d /run/systemd/system ]; then
  unit=$(bound 5 systemctl show -p LoadState,User,Group,SupplementaryGroups {UNIT} 2>&1) || unit="failed: $unit"
  p unit printf '%s\n' "$unit"
  user=$(printf '%s\n' "$unit" | sed -n 's/^User=//p')
  [ -z "$user" ] || p id id "$user"
fi
"""

# 666 0 0 c3 0 root root /dev/nvidia0                             stat (coreutils 9.1, busybox 1.35)
_NODE = re.compile(
    r"^([0-7]{1,4}) (\d{1,10}) (\d{1,10}) ([0-9a-f]{1,8}) ([0-9a-f]{1,8}) (\S+) (\S+) (/dev/nvidia\S*)$", re.MULTILINE
)
# uid=999(ollama) gid=999(ollama) groups=999(ollama),44(video),105(render)         id ollama (coreutils 9.1)
_UID = re.compile(r"^uid=(\d{1,10})")
_GROUP = re.compile(r"(\d{1,10})(?:\(([^()]{0,64})\))?")
# What a CUDA program opens; nvidia-modeset and nvidia-uvm-tools are not needed for it.
_NEEDED = re.compile(r"^/dev/nvidia(\d+|ctl|-uvm)$")


def parse(output: Output) -> Known[DeviceNodes] | Absent | Unreadable:
    """Known with no nodes when there are none."""
    part = output["nodes"]
    if part.trouble:
        return Unreadable(f"/dev/nvidia*: {part.trouble}")
    if "unit" not in output.parts and not output.complete:  # only a whole section tells that systemd does not run
        return Unreadable("the look at /dev/nvidia* and its users was cut off (time limit)")
    found = _NODE.findall(part.text)
    if len(found) != len(part.lines):
        return Unreadable(f"/dev/nvidia*: unexpected answer {part.lines[0][:120]!r}")
    nodes = tuple(
        DeviceNode(
            path=path,
            mode=mode.zfill(4),
            owner=uid if owner == "UNKNOWN" else owner,
            group=gid if group == "UNKNOWN" else group,
            major=int(major, 16),
            minor=int(minor, 16),
        )
        for mode, uid, gid, major, minor, owner, group, path in found
    )
    unit = dict(line.split("=", 1) for line in output["unit"].lines if "=" in line)
    user = _user(output, unit)
    may = _may_open(output, [row for row in found if _NEEDED.match(row[7])], user, unit)
    return Known(DeviceNodes(nodes=nodes, service_user=user, service_user_may_open=may), "/dev/nvidia*")


Row = tuple[str, ...]  # mode, uid, gid, major, minor, owner, group, path


def _user(output: Output, unit: dict[str, str]) -> Reading[str]:
    if "unit" not in output.parts:
        return Absent("systemd does not run here")
    if "LoadState" not in unit:
        return Unreadable(f"systemctl show {UNIT}: {output['unit'].text[:200] or output['unit'].trouble}")
    if unit["LoadState"] != "loaded":
        return Absent(f"there is no {UNIT}")
    if output["unit"].trouble:  # User= comes after LoadState=
        return Unreadable(f"systemctl show {UNIT}: {output['unit'].trouble}")
    return Known(unit.get("User") or "root", f"systemctl show {UNIT}")


def _may_open(output: Output, rows: list[Row], runs_as: Reading[str], unit: dict[str, str]) -> Reading[bool]:
    if not rows:
        return Absent("there are no /dev/nvidia* nodes")
    if not isinstance(runs_as, Known):
        return runs_as
    user = runs_as.value
    if user in ("root", "0"):
        return Known(True, "the service runs as root")
    who = output["id"]
    uid = _UID.match(who.text)
    if who.trouble or not uid:
        return Unreadable(f"id {user}: {who.trouble or 'unexpected answer'}")
    groups = {text for pair in _GROUP.findall(who.text.partition(" ")[2]) for text in pair if text}
    groups |= set(unit.get("SupplementaryGroups", "").split()) | ({unit["Group"]} if unit.get("Group") else set())
    for mode, owner_uid, gid, _, _, _, group, path in rows:
        bits = int(mode, 8)
        allowed = bits >> 6 if owner_uid == uid[1] else bits >> 3 if {gid, group} & groups else bits
        if allowed & 0o6 != 0o6:
            return Known(False, f"{path} has mode {mode.zfill(4)} and group {group}; {user} may not read and write it")
    return Known(True, f"modes of {', '.join(row[7] for row in rows)}; groups of {user}")


SECTION = Section(name="nodes", shell=SHELL, parse=parse, seconds=10)
