"""A CUDA initialisation as the user who runs Ollama."""

from __future__ import annotations

import re

from ongpu.host.cuda import HELPER, NO_TOOL, CudaInit
from ongpu.host.paths import UNIT
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.probe import octets, service_path
from ongpu.probe.output import Output
from ongpu.probe.section import Section
from ongpu.probe.sections.nvml import HUNG, hung

LIMIT = 15  # seconds; each GPU that nobody keeps initialised takes 1 to 3

# Only where it changes nothing: without nvidia-uvm or a node, CUDA would have nvidia-modprobe load the one and make the
# other. setpriv, because runuser and su open a session. Without a unit it is asked as the user of the probe.
SHELL = (
    service_path.SHELL
    + HUNG
    + rf"""
ask() {{ LD_LIBRARY_PATH=$path bound {LIMIT} "$@" python3 -I -c '
{HELPER}'; }}
as_user() {{
  if [ "$uid" = "$(id -u)" ]; then ask env
  elif [ "$(id -u)" = 0 ]; then
    groups=$(id -G "$user" | tr ' ' ',')
    for name in $more; do
      number=$(getent group "$name" 2>/dev/null | cut -d : -f 3); [ -z "$number" ] || groups=$groups,$number
    done
    ask setpriv --reuid "$uid" --regid "$(id -g "$user")" --groups "$groups"
  else echo '@blocked'; fi
}}
if [ ! -e /sys/module/nvidia ]; then p unloaded printf 'no\n'
elif [ ! -e /sys/module/nvidia_uvm ] || [ ! -c /dev/nvidia-uvm ] || [ ! -c /dev/nvidiactl ]; then p nouvm printf 'no\n'
elif old=$(hung) && [ -n "$old" ]; then p hung printf '%s\n' $old
elif need cuda python3 && need cuda setpriv; then
  user=; more=
  if have systemctl && [ -d /run/systemd/system ]; then
    unit=$(bound 3 systemctl show -p User -p SupplementaryGroups {UNIT} 2>/dev/null)
    user=$(printf '%s\n' "$unit" | sed -n 's/^User=//p')
    more=$(printf '%s\n' "$unit" | sed -n 's/^SupplementaryGroups=//p')
  fi
  path=$(service_path)
  uid=$(id -u ${{user:+"$user"}} 2>/dev/null) || uid=none
  p user printf '%s\n' "${{user:-$(id -un)}}"
  if [ "$uid" = none ]; then p nouser printf 'no\n'; else p cuda as_user; fi
fi
"""
)

# cuda 0 2 /usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05              HELPER
_ANSWER = re.compile(r"^cuda (\d{1,4}) (-?\d{1,4}) (\S{1,400})$", re.MULTILINE)
_LOAD = re.compile(r"^load (.{1,400})$", re.MULTILINE)


def parse(output: Output) -> Known[CudaInit] | Absent | Unreadable:
    """Absent where no driver is loaded: there is nothing to initialise."""
    if output["unloaded"].ok:
        return Absent("the kernel module nvidia is not loaded")
    if output["nouvm"].ok:
        return Unreadable(
            "CUDA was not tried: nvidia-uvm or a node of /dev/nvidia* is missing, and trying would make it"
        )
    if waits := hung(output):
        return waits
    user = output["user"].text.strip()
    if output["nouser"].ok:
        return Unreadable(f"CUDA was not tried: there is no account {user!r}, which ollama.service names")
    part = output["cuda"]
    if part.missing:
        return Unreadable(f"CUDA was not tried: {part.missing} is not installed", NO_TOOL)
    if "@blocked" in part.lines:
        return Unreadable(f"CUDA was not tried: only root may do it as {user}", octets.AS_ROOT)
    if part.timed_out:
        return Unreadable(f"CUDA gave no answer within {LIMIT} seconds", "look for a hung driver: dmesg, ps (state D)")
    if found := _ANSWER.search(part.text):
        init = CudaInit(
            code=int(found[1]),
            devices=max(int(found[2]), 0),
            library="" if found[3] == "-" else found[3],
            user=user or "the user of the probe",
        )
        return Known(init, "cuInit")
    if why := _LOAD.search(part.text):
        return Unreadable(f"CUDA was not tried: {why[1]}")
    return Unreadable(f"CUDA was not tried: {part.trouble or 'unexpected answer'}")


SECTION = Section(name="cuda", shell=SHELL, parse=parse, seconds=20)
