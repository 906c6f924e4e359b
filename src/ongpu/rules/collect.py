"""What to collect when the evidence is not enough: one command for what is missing, to be pasted back."""

from __future__ import annotations

from ongpu.rules.evidence import Evidence
from ongpu.rules.facts import places

_LOG = "journalctl -u ollama -b --no-pager | tail -n 2000"
_ASK = "nvidia-smi; nvidia-smi -q | grep -iE 'mig|license|compute mode|slowdown|cap'; ollama ps"
_HOST = (
    "nvidia-smi; cat /proc/driver/nvidia/version; ls -l /dev/nvidia*; lsmod | grep -iE 'nvidia|nouveau'; "
    "lspci -nnk -d 10de:; sudo dmesg | grep -iE 'nvrm|xid|nouveau' | tail -n 50"
)
_SERVICE = (
    "systemctl show ollama -p Environment -p DeviceAllow -p PrivateDevices; ls -R /usr/local/lib/ollama /usr/lib/ollama"
)


def next_step(seen: Evidence) -> tuple[str, str]:
    """(what it is, the command): the first of the kinds of evidence that is missing."""
    if "log" not in seen.kinds:
        if places.container(seen):
            return "the container's log", "docker logs --tail 2000 ollama 2>&1"
        return "Ollama's log", _LOG
    if "smi" not in seen.kinds:
        return "what the driver says", _HOST
    if "env" not in seen.kinds:
        return "the service's settings and files", _SERVICE
    if "ps" not in seen.kinds:
        return "where the models are", _ASK
    return "a debug log of a load", f"sudo systemctl edit ollama (Environment=OLLAMA_DEBUG=1), restart it, load; {_LOG}"
