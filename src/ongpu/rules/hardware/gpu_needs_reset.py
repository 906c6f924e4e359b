"""The driver asks for a reset of the GPU, or for a reboot.

What it means: The driver says that this GPU will not work as before until it is reset or the host is restarted.
Why it matters: New programs on the GPU fail, or it works on with less memory.
How it comes about: An error that the driver could not undo: memory rows that wait to be replaced, a fault in the
  GPU's firmware, NVLink.
Fix: Do what it asks for. Reset: stop everything that uses the GPU (sudo fuser -v /dev/nvidia* lists it), reset it,
  and start Ollama, with the commands below. Reboot: restart the host. Drain: let running work end, start no new one,
  then reset.
Fix safety: manual; a reset ends everything on the GPU.
References: nvidia-smi field gpu_recovery_action (570 and later), Xid 154, NVML return code 16.
"""

from __future__ import annotations

import re

from ongpu.rules.evidence import Evidence, Line, words
from ongpu.rules.facts import codes, query
from ongpu.rules.rule import Fill, Hit, Rule, proven

# GPU Recovery Action : Reset          (nvidia-smi -q; None, Reset, Reboot, Drain P2P, Drain and Reset, …)
_ASKS = words(
    r"GPU Recovery Action +: (?!None|N/A)\w", r"GPU recovery action changed from 0x\d \([^)\n]{1,40}\) to 0x[1-9]",
    r"Reset Required +: Yes", r"Drain and Reset Recommended +: Yes",
)  # fmt: skip
_ACTION = re.compile(r"(?!None|N/A|\[)[A-Z]")
_YES = re.compile("Yes")


def check(seen: Evidence) -> Hit | None:
    line = _asked(seen)
    return proven("the driver asks for a reset of a GPU or a reboot", line) if line else None


def _asked(seen: Evidence) -> Line | None:
    return (
        seen.find(_ASKS)
        or query.first(seen, "gpu_recovery_action", _ACTION)
        or query.first(seen, "reset_status.reset_required", _YES)
        or codes.nvml_codes(seen).get(16)
    )


RULE = Rule(
    id="HW-015",
    slug="gpu-needs-reset",
    severity="critical",
    check=check,
    needs=(
        "smi",
        "kernel",
    ),
    commands=(
        "sudo systemctl stop ollama nvidia-persistenced",
        "sudo nvidia-smi -i INDEX -r",
        "sudo systemctl start nvidia-persistenced ollama",
    ),
    fills=(Fill("INDEX", words(r"^GPU (\d{1,2}): GPU Recovery Action : (?!None|N/A)\w")),),
    fires=(
        "    GPU Recovery Action                   : Drain and Reset",
        "$ nvidia-smi --query-gpu=index,gpu_recovery_action --format=csv\nindex, gpu_recovery_action\n0, Reset",
        "A GPU reset must occur before this GPU can be used again.",
    ),
    quiet=("    GPU Recovery Action                   : None",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)
