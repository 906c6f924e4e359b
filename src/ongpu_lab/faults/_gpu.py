"""What several faults do to the simulated GPUs: values that last until the driver is unloaded or the host restarts."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

INI = "/etc/ongpu-lab/gpus.ini"
_SET = "/run/ongpu-lab/set"


def put(target: Target, **values: str) -> None:
    """Keys of gpus.ini with another value, on every GPU."""
    lines = "".join(f"echo '{value}' >{_SET}/gpu$number.{key}\n" for key, value in values.items())
    target.sh(_each(f"mkdir -p {_SET}\n{lines}"))


def take_back(target: Target, *keys: str) -> None:
    """As in gpus.ini again."""
    target.sh(_each("".join(f"rm -f {_SET}/gpu$number.{key}\n" for key in keys)))


def cuda_answers(target: Target, code: int) -> None:
    """cuInit fails with this code until the kernel module is loaded anew; 0 takes it back."""
    target.sh(f"[ -d /run/ongpu-lab/module ] && echo {code} >/run/ongpu-lab/module/cuinit")


def _each(body: str) -> str:
    return f"for number in $(sed -n 's/^\\[gpu\\([0-9]*\\)\\]$/\\1/p' {INI}); do\n{body}done"
