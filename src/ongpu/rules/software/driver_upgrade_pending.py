"""The next restart of the host loads another driver version than runs now.

What it means: The kernel module on disk is of another version than the loaded one, while module and libraries still fit
  each other.
Why it matters: Everything works now. If the libraries on disk are still of the old version, CUDA will refuse to start
  after the restart.
How it comes about: The module's package was upgraded alone (DKMS, or a kernel's prebuilt modules), or an upgrade of the
  driver stopped half-way.
Fix: Finish the upgrade (sudo apt-get -f install, sudo dpkg --configure -a, or ongpu apply), so that module and libraries
  on disk have one version, and restart the host when it suits.
Fix safety: reboot.
References: modinfo -F version nvidia against /sys/module/nvidia/version.
"""

from __future__ import annotations

from ongpu.rules.action import DRIVER, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

# a snapshot's own words
_SAID = words(r"the module on disk is (\d[\d.]{2,20}), the loaded one (\d[\d.]{2,20})")


def check(seen: Evidence) -> Hit | None:
    found = seen.match(_SAID)
    if found is None:
        return None
    coming, now = found.match.groups()
    return proven(f"driver {now} runs, and the next restart loads {coming}", found.line)


RULE = Rule(
    id="SW-055",
    slug="driver-upgrade-pending",
    severity="info",
    check=check,
    needs=("system",),
    commands=("sudo dpkg --configure -a", "sudo apt-get -f install", "sudo systemctl reboot"),
    repair=always(DRIVER, Restart()),
    fires=("the module on disk is 580.126.09, the loaded one 580.95.05",),
    quiet=("nvidia/580.95.05, 6.8.0-45-generic, x86_64: installed",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)
