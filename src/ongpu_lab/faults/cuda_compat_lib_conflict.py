"""LD_LIBRARY_PATH leads to a compatibility libcuda of another release than the driver's: cuInit fails with 803."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_NAME, _COMPAT = "90-toolkit", "/usr/local/cuda/compat"


def apply(target: Target) -> None:
    target.sh(f"""
loaded=$(cat /sys/module/nvidia/version 2>/dev/null) || {{ echo "no driver runs on this host yet" >&2; exit 1; }}
other=$(apt-cache madison libcuda1 | awk -F'|' -v v="$loaded-" '
  {{ gsub(/ /, "", $2) }} index($2, v) != 1 {{ print $2; exit }}')
[ -n "$other" ] || {{ echo "no other version of libcuda to be had" >&2; exit 1; }}
mkdir -p {_COMPAT} /root/compat
cd /root/compat
apt-get -qq download "libcuda1=$other" 2>/dev/null
dpkg-deb -x libcuda1_*.deb .
cp -P usr/lib/x86_64-linux-gnu/libcuda.so* {_COMPAT}/
cd / && rm -rf /root/compat
""")
    _service.drop_in(target, _NAME, f"LD_LIBRARY_PATH={_COMPAT} OLLAMA_DEBUG=1")


def clear(target: Target) -> None:
    target.sh("rm -rf /usr/local/cuda")
    _service.remove_drop_in(target, _NAME)
