from __future__ import annotations

import dataclasses

import pytest

from ongpu.plan.context import Halt
from ongpu.plan.flavour import choose
from tests.plan.world import RTX_4060

# name -> device id (PCI ID database)
GPUS = {
    "GTX 1080 Ti": "0x1b06",
    "V100": "0x1db4",
    "T4": "0x1eb8",
    "A100": "0x20b0",
    "RTX 4060": "0x2882",
    "H100": "0x2330",
    "B200": "0x2901",
    "RTX 5090": "0x2b85",
}


@pytest.mark.parametrize(
    ("names", "branch", "declared", "choice"),
    [
        (["T4"], "580", "auto", "open"),
        (["A100", "H100"], "590", "auto", "open"),
        (["RTX 5090"], "595", "auto", "open"),
        (["RTX 4060"], "580", "proprietary", "proprietary"),
        (["V100"], "580", "auto", "proprietary"),
        (["GTX 1080 Ti", "RTX 4060"], "580", "auto", "proprietary"),
        (["GTX 1080 Ti"], "590", "auto", ""),
        (["V100", "B200"], "580", "auto", ""),
        (["V100"], "580", "open", ""),
        (["RTX 5090"], "580", "proprietary", ""),
        (["RTX 4060"], "615", "proprietary", ""),
        ([], "580", "auto", "open"),
    ],
)
def test_the_module_that_drives_all_gpus(names: list[str], branch: str, declared: str, choice: str) -> None:
    gpus = [dataclasses.replace(RTX_4060, device_id=GPUS[name]) for name in names]
    if choice:
        assert choose(gpus, branch, declared) == choice  # type: ignore[arg-type]
    else:
        with pytest.raises(Halt) as caught:
            choose(gpus, branch, declared)  # type: ignore[arg-type]
        assert caught.value.kind == "unsupported"
