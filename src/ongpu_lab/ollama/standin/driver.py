"""The host's GPUs, and which of them a process sees."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from . import lab


class DriverError(Exception):
    """The driver cannot be used; the text is that of `ollama gpu-discover`."""


class Gpu(NamedTuple):
    """One GPU. `number` counts all GPUs of the host in PCI order, `total` and `free` are bytes."""

    number: int
    name: str
    uuid: str
    pci_id: str
    compute: tuple[int, int]
    total: int
    free: int
    integrated: bool = False


class Driver(NamedTuple):
    """`cuda` is the driver's CUDA version, `branch` the kernel driver's branch (580) or 0 if NVML did not say."""

    cuda: tuple[int, int]
    branch: int
    gpus: tuple[Gpu, ...]


def read(visible: str | None = None) -> Driver:
    """The GPUs that a process with this CUDA_VISIBLE_DEVICES sees, in its order. Raises DriverError."""
    double = os.environ.get("ONGPU_LAB_FAKE_DRIVER")
    if double:
        driver = _fake(Path(double))
    else:
        from .cuda import read_driver  # only where it is needed: a double saves the import of ctypes

        driver = read_driver()
    return driver._replace(gpus=visible_to(driver.gpus, visible))


def visible_to(gpus: tuple[Gpu, ...], visible: str | None) -> tuple[Gpu, ...]:
    """CUDA's rule: indices or UUID prefixes; the list ends at the first that names no GPU."""
    if visible is None or visible == "":
        return gpus if visible is None else ()
    chosen: list[Gpu] = []
    for token in (part.strip() for part in visible.split(",")):
        found = None
        if token.isdecimal() and int(token) < len(gpus):
            found = gpus[int(token)]
        elif token.startswith("GPU-"):
            found = next((gpu for gpu in gpus if gpu.uuid.startswith(token)), None)
        if found is None or found in chosen:
            break
        chosen.append(found)
    return tuple(chosen)


def _fake(path: Path) -> Driver:
    """A double for tests: a JSON file with what the libraries would answer."""
    facts = json.loads(path.read_text())
    if facts.get("error"):
        raise DriverError(facts["error"])
    held = _held()
    gpus = [
        Gpu(
            number=number,
            name=gpu["name"],
            uuid=gpu["uuid"],
            pci_id=gpu["pci_id"],
            compute=(int(gpu["compute"][0]), int(gpu["compute"][1])),
            total=gpu["total_mib"] << 20,
            free=max(0, gpu["total_mib"] - gpu.get("used_mib", 0) - (0 if gpu.get("constant") else held.get(number, 0)))
            << 20,
            integrated=gpu.get("integrated", False),
        )
        for number, gpu in enumerate(facts["gpus"])
    ]
    return Driver((int(facts["cuda"][0]), int(facts["cuda"][1])), int(facts["branch"]), tuple(gpus))


def _held() -> dict[int, int]:
    """MiB by GPU number that living processes hold, from the directory that the stand-in libraries read."""
    held: dict[int, int] = {}
    directory = lab.run_dir() / "procs"
    for path in directory.iterdir() if directory.is_dir() else ():
        if not Path("/proc", path.name).exists():
            continue
        for line in path.read_text().splitlines()[1:]:
            number, mib, *_ = line.split()
            held[int(number)] = held.get(int(number), 0) + int(mib)
    return held
