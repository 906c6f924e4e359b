"""The driver's packages were upgraded, the old kernel module still runs: nvidia-smi says "version mismatch".

What an unattended upgrade does to a server that is not rebooted.
"""

from __future__ import annotations

from ongpu_lab.faults.base import Target

CAUSE = "driver-library-mismatch"
_BEFORE = "/etc/ongpu-lab/driver-before"
_INSTALL = (
    "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --allow-downgrades --allow-change-held-packages "
    "--no-install-recommends install"
)


def apply(target: Target) -> None:
    target.sh(f"""
loaded=$(cat /sys/module/nvidia/version 2>/dev/null) || {{ echo "no driver runs on this host yet" >&2; exit 1; }}
packages=$(dpkg-query -W -f '${{db:Status-Abbrev}}|${{Package}}|${{Version}}\\n' | awk -F'|' -v v="$loaded-" '
  $1 ~ /^.i/ && index($3, v) == 1 {{ print $2 "=" $3 }}')
other=$(apt-cache madison libnvidia-ml1 | awk -F'|' -v v="$loaded-" '
  {{ gsub(/ /, "", $2) }} index($2, v) != 1 {{ print $2; exit }}')
[ -n "$packages" ] && [ -n "$other" ] || {{ echo "no other version of the driver to upgrade to" >&2; exit 1; }}
echo "$packages" >{_BEFORE}
{_INSTALL} $(echo "$packages" | sed "s/=.*/=$other/") >/dev/null
""")


def clear(target: Target) -> None:
    target.sh(f"""
[ -e {_BEFORE} ] || exit 0
{_INSTALL} $(cat {_BEFORE}) >/dev/null
rm -f {_BEFORE}
""")
