"""Who uses the driver: modules' reference counts, processes with open NVIDIA devices, screens and consoles."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ongpu.host.gpu import pci_address
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.use import RIVALS, Client, DriverUse, DrmNode, ModuleUse
from ongpu.probe import octets
from ongpu.probe.output import Output
from ongpu.probe.section import Section
from ongpu.probe.values import to_int

MODULES = "nvidia nvidia_uvm nvidia_modeset nvidia_drm nvidia_peermem nvidia_fs gdrdrv"
MOST = 100  # processes that are named

# One find over every process's open files, with one readlink for each; only root sees those of others. `%h` and `%l`
# are GNU's; where find has none, ls says the same with more work.
SHELL = rf"""
modules() {{
  [ -d /sys/module ] || {{ echo 'not mounted'; return 1; }}
  for name in {MODULES}; do
    [ -d "/sys/module/$name" ] || continue
    count=-; [ -r "/sys/module/$name/refcnt" ] && read -r count <"/sys/module/$name/refcnt"
    line="$name $count"
    for holder in "/sys/module/$name"/holders/*; do [ -e "$holder" ] && line="$line ${{holder##*/}}"; done
    printf '%s\n' "$line"
  done
  for name in {" ".join(RIVALS)}; do [ -d "/sys/module/$name" ] && printf 'rival %s\n' "$name"; done; :
}}
fds() {{
  if find /dev/null -lname x -printf '%h %l' >/dev/null 2>&1; then
    bound 6 find /proc/[0-9]*/fd -maxdepth 1 \( -lname '/dev/nvidia*' -o -lname '/dev/dri/*' \) -printf '%h %l\n' \
      2>/dev/null
    case $? in 124|137|143) printf '@late\n' ;; esac
  else
    bound 6 ls -l /proc/[0-9]*/fd 2>/dev/null | while read -r line; do
      case $line in
        */fd:) dir=${{line%:}} ;;
        *' -> /dev/nvidia'*|*' -> /dev/dri/'*) printf '%s %s\n' "$dir" "${{line##* -> }}" ;;
      esac
    done
  fi
}}
clients() {{
  list=$(fds | sort -u)
  printf '%s\n' "$list"
  for dir in $(printf '%s\n' "$list" | sed -n 's/^\(.*\)\/fd .*/\1/p' | sort -u | head -n {MOST}); do
    name=; read -r name <"$dir/comm" || continue
    group=
    while read -r line; do
      case $line in 0::*|*:name=systemd:*) group=${{line#*:*:}} ;; esac
    done <"$dir/cgroup"
    printf 'owner\t%s\t%s\t%s\n' "${{dir##*/}}" "$name" "$group"
  done 2>/dev/null; :
}}
cards() {{
  for dir in /sys/class/drm/card[0-9]* /sys/class/drm/renderD[0-9]*; do
    case ${{dir##*/}} in card*-*) continue ;; esac
    [ -e "$dir/device" ] || continue
    driver=-; [ -e "$dir/device/driver" ] && driver=$(readlink -f "$dir/device/driver")
    device=$(readlink -f "$dir/device")
    printf '%s %s %s\n' "${{dir##*/}}" "${{device##*/}}" "${{driver##*/}}"
  done; :
}}
framebuffers() {{ if [ -r /proc/fb ]; then cat /proc/fb; fi; }}
p modules modules
p cards cards
p framebuffers framebuffers
if [ -r /proc/1/fd ]; then p clients clients; else p blocked printf 'no\n'; fi
"""

# /proc/812/fd /dev/nvidia-uvm                       find -printf '%h %l'
_FD = re.compile(r"^/proc/(\d{1,10})/fd (/dev/(?:nvidia|dri/)\S*)$")
# 0 nvidia-drmdrmfb                                  /proc/fb
_FB = re.compile(r"^\d{1,4} (.{1,100})$")


def parse(output: Output) -> Known[DriverUse] | Absent | Unreadable:
    """Each of its readings says for itself whether it could be looked at."""
    modules = output["modules"]
    why = f"/sys/module: {modules.trouble}"
    drm = _drm(output)
    return Known(
        DriverUse(
            modules=Unreadable(why) if modules.trouble else _modules(output),
            clients=_clients(output, drm),
            drm=drm,
            framebuffers=_framebuffers(output),
            rivals=Unreadable(why)
            if modules.trouble
            else Known(tuple(line[6:] for line in modules.lines if line.startswith("rival ")), "/sys/module"),
        ),
        "/sys/module, /proc/*/fd, /sys/class/drm",
    )


def _modules(output: Output) -> Reading[Mapping[str, ModuleUse]]:
    uses = {}
    for line in output["modules"].lines:
        name, *words = line.split(" ")
        if name == "rival":
            continue
        count = to_int(words[0]) if words else None
        if count is None:  # a kernel without module unloading has no refcnt
            return Unreadable(f"/sys/module/{name}/refcnt cannot be read")
        uses[name] = ModuleUse(references=count, holders=tuple(words[1:]))
    return Known(uses, "/sys/module")


def _drm(output: Output) -> Reading[tuple[DrmNode, ...]]:
    part = output["cards"]
    if part.trouble:
        return Unreadable(f"/sys/class/drm: {part.trouble}")
    rows = [words for line in part.lines if len(words := line.split(" ")) == 3]
    nodes = (
        DrmNode(
            path=f"/dev/dri/{name}",
            pci_address=pci_address(device) or device,
            driver="" if driver == "-" else driver,
        )
        for name, device, driver in rows
    )
    return Known(tuple(nodes), "/sys/class/drm")


def _framebuffers(output: Output) -> Reading[tuple[str, ...]]:
    part = output["framebuffers"]
    if part.trouble:
        return Unreadable(f"/proc/fb: {part.trouble}")
    return Known(tuple(found[1].strip() for line in part.lines if (found := _FB.match(line))), "/proc/fb")


def _clients(output: Output, drm: Reading[tuple[DrmNode, ...]]) -> Reading[tuple[Client, ...]]:
    if output["blocked"].ok:
        return Unreadable("only root sees which devices other users' processes have open", octets.AS_ROOT)
    part = output["clients"]
    if part.trouble or "@late" in part.lines:
        return Unreadable(f"/proc/*/fd: {part.trouble or 'no answer within its time limit'}")
    nodes = {node.path: node.driver for node in drm.value} if isinstance(drm, Known) else {}
    devices: dict[int, list[str]] = {}
    for line in part.lines:
        if (found := _FD.match(line)) and (
            found[2].startswith("/dev/nvidia") or _is_nvidia(nodes.get(found[2], "nvidia"))
        ):
            devices.setdefault(int(found[1]), []).append(found[2])
    owners = {words[1]: words[2:] for line in part.lines if len(words := line.split("\t")) == 4}
    clients = []
    for pid, paths in sorted(devices.items()):
        name, cgroup = owners.get(str(pid), ["", ""])
        units = [word for word in cgroup.split("/") if word.endswith((".service", ".scope"))]
        unit = units[-1] if units else ""
        clients.append(Client(pid=pid, name=name, unit=unit, cgroup=cgroup, devices=tuple(sorted(paths))))
    return Known(tuple(clients), "/proc/*/fd")


def _is_nvidia(driver: str) -> bool:
    return driver.startswith(("nvidia", "nouveau", "nova"))


SECTION = Section(name="use", shell=SHELL, parse=parse, seconds=10)
