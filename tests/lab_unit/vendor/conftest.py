from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from vendor_bench import Machine

from ongpu_lab.vendor.native import Compiler

RECORDED, OTHER = "550.163.01", "580.95.05"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-ins of two driver releases, compiled: a directory for each."""
    if not (shutil.which("gcc") or shutil.which("cc")):
        pytest.skip("needs a C compiler: the stand-in libraries are built from source")
    root = tmp_path_factory.mktemp("native")
    with Compiler() as compiler:
        for driver in (RECORDED, OTHER):
            place = root / driver
            place.mkdir()
            compiler.nvml(driver, place / "libnvidia-ml.so.1")
            compiler.cuda(driver, place / "libcuda.so.1")
            compiler.smi(driver, place / "nvidia-smi")
    return root


@pytest.fixture
def machine(compiled: Path, tmp_path: Path) -> Machine:
    """A simulated machine with the recorded driver release loaded."""
    found = Machine(tmp_path, compiled / RECORDED)
    found.load(RECORDED)
    return found
