"""The GPU's PCIe link has one lane of sixteen."""

from __future__ import annotations

from ongpu_lab.faults import _gpu
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, pcie_width="1", pcie_max_width="16")


def clear(target: Target) -> None:
    _gpu.take_back(target, "pcie_width", "pcie_max_width")
