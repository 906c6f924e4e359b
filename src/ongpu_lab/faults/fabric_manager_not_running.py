"""The fabric manager does not run: CUDA says that the system is not yet initialized."""

from __future__ import annotations

from ongpu_lab.faults import _gpu, _service
from ongpu_lab.faults.base import Target

_UNIT = "/etc/systemd/system/nvidia-fabricmanager.service"
_NAME = "90-debug"  # only the debug log tells the code
_TEXT = """\
[Unit]
Description=NVIDIA fabric manager service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/rm -f /run/ongpu-lab/module/cuinit
[Install]
WantedBy=multi-user.target
"""


def apply(target: Target) -> None:
    target.write(_UNIT, _TEXT)
    _gpu.cuda_answers(target, 802)
    _service.drop_in(target, _NAME, "OLLAMA_DEBUG=1")


def clear(target: Target) -> None:
    target.sh(f"systemctl --quiet disable --now nvidia-fabricmanager.service || :\nrm -f {_UNIT}")
    _gpu.cuda_answers(target, 0)
    _service.remove_drop_in(target, _NAME)
