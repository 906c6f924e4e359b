"""The NVIDIA kernel module is blacklisted.

What it means: A modprobe configuration or kernel parameter forbids the module nvidia.
Why it matters: The driver is installed and never loads; no program can use the GPU.
How it comes about: Laptop tools that switch the GPU off (supergfxd, envycontrol, prime-select, bumblebee), leftovers
  of another driver, or a passthrough set-up.
Fix: Comment the lines out, with the commands below; FILE is what the first of them prints. Rebuild the initramfs too
  (sudo update-initramfs -u, or sudo dracut --force). If the word is on the
  kernel's command line (cat /proc/cmdline) take it from /etc/default/grub, sudo update-grub, restart. If a laptop's tool
  wrote it, switch that to hybrid mode instead (supergfxctl -m Hybrid, envycontrol -s hybrid, prime-select on-demand).
Fix safety: reboot.
References: modprobe.d(5).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Fill, Hit, Rule, proven

_FORBIDDEN = words(
    r"^(?:[^\n#]{0,100}:)?\s*blacklist\s+nvidia(?:[-_](?:drm|uvm|modeset|current))?\s*$", r"^[^\n#]{0,100}\binstall\s+nvidia\s+/(?:usr/)?bin/(?:false|true)",
    r"^[^\n#]{0,100}alias\s+nvidia\s+off", r"(?:modprobe\.blacklist|module_blacklist|rd\.driver\.blacklist)=(?:\S*,)?nvidia(?:,|\s|$)",
    r"prime-select (?:query\s+)?intel", r"envycontrol (?:--query\s+|-q\s+|-s )integrated", r"supergfxctl[^\n]{0,20}\s+Integrated",
    r"Module nvidia is (?:blacklisted|blocklisted)", r"could not insert '?off'?",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_FORBIDDEN)
    return proven("the NVIDIA kernel module is blacklisted", line) if line else None


RULE = Rule(
    id="SW-009",
    slug="nvidia-module-blacklisted",
    severity="critical",
    check=check,
    needs=("system", "text"),
    explains=("driver-not-running", "module-missing-for-kernel", "nvidia-uvm-not-loaded"),
    commands=(
        "grep -nE '^[[:space:]]*(blacklist|install|alias)[[:space:]]+nvidia' /etc/modprobe.d/*.conf /lib/modprobe.d/*.conf",
        "sudo sed -i.bak -E 's/^[[:space:]]*(blacklist|install|alias)[[:space:]]+nvidia/# &/' FILE",
        "sudo modprobe nvidia",
        "sudo modprobe nvidia-uvm",
        "sudo systemctl restart ollama",
    ),
    fills=(Fill("FILE", words(r"^(/[^\s:]{1,200}):\s*(?:blacklist|install|alias)\s+nvidia"), " "),),
    fires=("/etc/modprobe.d/supergfxd.conf:blacklist nvidia", "blacklist nvidia_drm", "install nvidia /bin/false"),
    quiet=("blacklist nouveau\nblacklist nvidiafb",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)
