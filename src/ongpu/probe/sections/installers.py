"""Who else installs driver files: automatic upgrades, and NVIDIA's .run installer."""

from __future__ import annotations

import re

from ongpu.host.platform import AutomaticUpgrades, Installers, RunFile
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe.output import Output
from ongpu.probe.section import Section

# apt-config merges every file of apt.conf.d, as unattended-upgrades reads them. systemctl tells in one call which of
# the timers exist and run.
TIMERS = (
    "apt-daily-upgrade.timer dnf-automatic.timer dnf-automatic-install.timer dnf5-automatic.timer yum-cron.service "
    "transactional-update.timer"
)
SHELL = rf"""
timers() {{ bound 3 systemctl show -p Id -p LoadState -p ActiveState {TIMERS}; }}
apt() {{ bound 5 apt-config dump APT::Periodic Unattended-Upgrade; }}
automatic() {{ sed -n 's/^[[:space:]]*apply_updates[[:space:]]*=[[:space:]]*//p' /etc/dnf/automatic.conf; }}
excludes() {{
  for file in /etc/dnf/dnf.conf /etc/yum.conf; do
    [ -r "$file" ] && sed -n 's/^[[:space:]]*exclude\(pkgs\)\{{0,1\}}[[:space:]]*=[[:space:]]*//p' "$file"
  done; :
}}
runfile() {{
  for file in /usr/bin/nvidia-uninstall /usr/bin/nvidia-installer; do
    [ -e "$file" ] || continue
    if have dpkg-query; then owner=$(bound 5 dpkg-query -S "$file" 2>/dev/null)
    elif have rpm; then owner=$(bound 5 rpm -qf "$file" 2>/dev/null); fi
    [ "$?" = 0 ] && [ -n "$owner" ] || printf 'file %s\n' "$file"
  done; :
}}
log() {{ grep -m 1 '^installer version' /var/log/nvidia-installer.log; :; }}
if have systemctl && [ -d /run/systemd/system ]; then p timers timers; else p nosystemd printf 'no\n'; fi
if have apt-config; then
  p apt apt
  p upgrader ls /usr/bin/unattended-upgrade
fi
[ -r /etc/dnf/automatic.conf ] && p automatic automatic
p excludes excludes
p runfile runfile
[ -r /var/log/nvidia-installer.log ] && p log log
p last printf 'yes\n'
"""

# APT::Periodic::Unattended-Upgrade "1";            apt-config dump (apt 2.6)
# Unattended-Upgrade::Package-Blacklist:: "nvidia-";
_APT = re.compile(r'^(APT::Periodic|Unattended-Upgrade)::([^" ]*) "([^"]*)";$')
# installer version: 580.95.05                      /var/log/nvidia-installer.log
_VERSION = re.compile(r"^installer version:\s*(\d{3}[\d.]{0,20})")


def parse(output: Output) -> Known[Installers] | Absent | Unreadable:
    """Each of its readings says for itself whether it could be looked at."""
    return Known(
        Installers(automatic=_automatic(output), runfile=_runfile(output)),
        "systemctl show, apt-config, /usr/bin/nvidia-uninstall",
    )


def _automatic(output: Output) -> Reading[tuple[AutomaticUpgrades, ...]]:
    if output["nosystemd"].ok:
        return Absent("systemd does not run here, so no timer upgrades packages")
    for name in ("timers", "last"):
        if output[name].trouble:
            return Unreadable(f"automatic upgrades: {output[name].trouble}")
    running = _running(output)
    found = []
    if output["upgrader"].ok:
        if output["apt"].trouble:
            return Unreadable(f"apt-config: {output['apt'].trouble}")
        rows = [row.groups() for line in output["apt"].short_lines if (row := _APT.match(line))]
        periodic = {name: value for tree, name, value in rows if tree == "APT::Periodic"}
        on = all(periodic.get(name, "1") not in ("0", "") for name in ("Enable", "Unattended-Upgrade"))
        excluded = [value for tree, name, value in rows if name == "Package-Blacklist::" and value]
        found.append(
            AutomaticUpgrades(
                tool="unattended-upgrades",
                active=on and "Unattended-Upgrade" in periodic and "apt-daily-upgrade.timer" in running,
                excluded=tuple(excluded),
            )
        )
    excluded = [word for line in output["excludes"].short_lines for word in re.split(r"[,\s]+", line) if word]
    applies = output["automatic"].text.strip().lower() in ("yes", "true", "1")
    found += [
        AutomaticUpgrades(tool=unit, active=True, excluded=tuple(excluded))
        for unit in sorted(running - {"apt-daily-upgrade.timer"})
        if applies or not unit.startswith(("dnf-automatic.", "dnf5-automatic."))  # those two only download then
    ]
    return Known(tuple(found), "systemctl show")


def _running(output: Output) -> set[str]:
    running = set()
    for block in output["timers"].text.split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
        if unit.get("LoadState") == "loaded" and unit.get("ActiveState") == "active":
            running.add(unit.get("Id", ""))
    return running


def _runfile(output: Output) -> Reading[RunFile]:
    part = output["runfile"]
    if part.trouble or output["last"].trouble:
        return Unreadable(f"nvidia-uninstall: {part.trouble or output['last'].trouble}")
    files = [line[5:] for line in part.short_lines if line.startswith("file ")]
    if not files:
        return Absent("no nvidia-uninstall or nvidia-installer that no package owns")
    version = _VERSION.match(output["log"].text)
    return Known(RunFile(uninstaller=files[0], version=version[1] if version else ""), files[0])


SECTION = Section(name="installers", shell=SHELL, parse=parse, seconds=12)
