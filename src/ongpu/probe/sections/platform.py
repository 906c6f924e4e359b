"""Systems whose driver is not ours to install: Jetson, WSL, vGPU guests, systems that are changed only as a whole."""

from __future__ import annotations

from ongpu.host.platform import Platform
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe.output import Output, Part
from ongpu.probe.section import Section

# A vGPU guest runs nvidia-gridd; the other signs are in the driver's name of the GPU (nvml section).
SHELL = r"""
jetson() {
  if [ -r /proc/device-tree/model ]; then tr -d '\000' </proc/device-tree/model; printf '\n'; fi
  show /etc/nv_tegra_release
}
wsl() {
  show /proc/sys/kernel/osrelease
  [ ! -e /dev/dxg ] || printf 'dxg\tyes\n'
}
immutable() {
  [ ! -e /run/ostree-booted ] || printf 'ostree\n'
  [ ! -e /etc/NIXOS ] || printf 'NixOS\n'
  while read -r device place kind options rest; do
    case $place:,$options, in
      /:*,ro,*) printf 'root is read-only\n'; ! have transactional-update || printf 'transactional-update\n' ;;
      /usr:*,ro,*) printf '/usr is read-only\n' ;;
    esac
  done </proc/self/mounts
}
guest() { [ ! -e /usr/bin/nvidia-gridd ] || printf '/usr/bin/nvidia-gridd\n'; }
p jetson jetson
p wsl wsl
p immutable immutable
p guest guest
"""


def parse(output: Output) -> Known[Platform] | Absent | Unreadable:
    """Each of its readings says for itself whether it could be looked at."""
    return Known(
        Platform(
            jetson=_jetson(output["jetson"]),
            wsl=_wsl(output["wsl"]),
            immutable=_first(output["immutable"], "an ordinary system"),
            vgpu_guest=_first(output["guest"], "no nvidia-gridd"),
        ),
        "/proc, /etc",
    )


def _jetson(part: Part) -> Reading[str]:
    """NVIDIA Jetson AGX Orin Developer Kit                                          /proc/device-tree/model
    /etc/nv_tegra_release	# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, …"""
    if part.trouble:
        return Unreadable(f"/proc/device-tree/model: {part.trouble}")
    for line in part.short_lines:
        path, tab, text = line.partition("\t")
        if tab and path == "/etc/nv_tegra_release":
            return Known(f"L4T {text.lstrip('# ')[:60].partition(', GCID')[0]}", path)
        if "Jetson" in line or "Tegra" in line:
            return Known(line[:100].strip(), "/proc/device-tree/model")
    return Absent("no Jetson (/proc/device-tree/model, /etc/nv_tegra_release)")


def _wsl(part: Part) -> Reading[str]:
    """/proc/sys/kernel/osrelease	5.15.167.4-microsoft-standard-WSL2"""
    if part.trouble:
        return Unreadable(f"/proc/sys/kernel/osrelease: {part.trouble}")
    said = dict(line.split("\t", 1) for line in part.short_lines if "\t" in line)
    kernel = said.get("/proc/sys/kernel/osrelease", "")
    if "microsoft" in kernel.lower() or said.get("dxg") == "yes":
        return Known(kernel[:100] or "/dev/dxg", "/proc/sys/kernel/osrelease")
    return Absent("not WSL (kernel name, /dev/dxg)")


def _first(part: Part, none: str) -> Reading[str]:
    if part.trouble:
        return Unreadable(f"what kind of system this is: {part.trouble}")
    lines = [line for line in part.short_lines if line]
    # A root that is mounted read-only is the sign only together with the tool.
    lines = [line for line in lines if line != "root is read-only"] or lines
    return Known(lines[0], lines[0]) if lines else Absent(none)


SECTION = Section(name="platform", shell=SHELL, parse=parse, seconds=5)
