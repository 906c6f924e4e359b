"""GPUs for the tests of the choice: one of each architecture and of each exception."""

from __future__ import annotations

import dataclasses

from ongpu.host.gpu import PciGpu
from tests.plan.world import RTX_4060

# name -> device id (PCI ID database)
GPUS = {
    "GTX 480": "0x06c0",  # Fermi
    "K80": "0x102d",  # Kepler 3.7
    "GTX 650": "0x0fc6",  # Kepler 3.0
    "GTX 750 Ti": "0x1380",  # Maxwell 5.0
    "GTX 980": "0x13c0",  # Maxwell 5.2
    "P100": "0x15f8",  # Pascal 6.0
    "GTX 1080 Ti": "0x1b06",  # Pascal 6.1
    "V100": "0x1db4",  # Volta 7.0
    "T4": "0x1eb8",  # Turing 7.5
    "A100": "0x20b0",  # Ampere 8.0
    "A100 40 GB": "0x20f1",
    "RTX A6000": "0x2230",  # Ampere 8.6
    "L4": "0x27b8",  # Ada 8.9
    "RTX 4060": "0x2882",
    "H100": "0x2330",  # Hopper 9.0
    "H200": "0x2335",
    "GH200": "0x2342",  # Grace Hopper
    "B200": "0x2901",  # Blackwell 10.0
    "GB200": "0x2941",
    "B300": "0x3182",  # Blackwell 10.3
    "RTX 5090": "0x2b85",  # Blackwell 12.0
    "RTX PRO 6000": "0x2bb1",
    "GB10": "0x2e12",  # Blackwell 12.1
    "GR100": "0x3002",  # Rubin
}


def gpu(name: str, number: int = 1) -> PciGpu:
    """By its name here, or any device id."""
    return dataclasses.replace(RTX_4060, device_id=GPUS.get(name, name), address=f"0000:{number:02x}:00.0")


def gpus(*names: str) -> tuple[PciGpu, ...]:
    return tuple(gpu(name, number) for number, name in enumerate(names, 1))
