"""`python -m ongpu.probe.nvml_child`: asks NVML in a process of its own, because it can hang or crash in the driver.

Prints one line, `@@nvml JSON` of host.gpu.Nvml, or `@@failed WHY` when nvidia-ml-py cannot be used at all.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from importlib import import_module

from pydantic import TypeAdapter, ValidationError

from ongpu.host.gpu import Nvml
from ongpu.probe import nvml_read
from ongpu.probe.sections.nvml import CHILD

ANSWER, FAILED = "@@nvml ", "@@failed "


@cache
def _adapter() -> TypeAdapter[Nvml]:
    return TypeAdapter(Nvml)


def parse(text: str) -> Nvml | str:
    """What the child printed: the value, or why there is none. Other lines are the library's chatter."""
    for line in reversed(text.split("\n")):
        if line.startswith(ANSWER):
            try:
                return _adapter().validate_json(line[len(ANSWER) :])
            except ValidationError:
                return "its answer was cut off"
        if line.startswith(FAILED):
            return line[len(FAILED) :][:300]
    return ""


def main() -> None:
    """Never raises for anything that the driver or the installation does."""
    with suppress(OSError), open("/proc/self/comm", "w") as name:
        name.write(CHILD)  # by which the next look knows it, should it hang
    try:
        answer = ANSWER + _adapter().dump_json(nvml_read.read(import_module("pynvml"))).decode()
    except Exception as error:  # noqa: BLE001 - no nvidia-ml-py, a broken library: nvidia-smi can still be asked
        answer = FAILED + f"{type(error).__name__}: {error}".replace("\n", " ")
    sys.stdout.write(f"\n{answer}\n")


if __name__ == "__main__":
    main()
