"""Whatever the machine and GPU sections print: a reading, no exception, in bounded time."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.probe.output import Output, Part
from ongpu.probe.section import Section
from ongpu.probe.sections import (
    cuda,
    fabric,
    installers,
    kernel_log,
    kernels,
    libraries,
    modprobe,
    module,
    nodes,
    nvml,
    packages,
    pci,
    platform,
    secure_boot,
    system,
    use,
)
from tests.probe.sections import samples

SAMPLES: dict[str, tuple[Section, samples.Parts]] = {
    "system": (system.SECTION, samples.SYSTEM),
    "pci": (pci.SECTION, samples.PCI | {"none": "", "unmounted": ""}),
    "module": (module.SECTION, samples.MODULE),
    "secure_boot": (secure_boot.SECTION, samples.SECURE_BOOT | {"none": "", "unmounted": "", "MokSBStateRT": "  1"}),
    "kernels": (kernels.SECTION, samples.KERNELS | {"log:/var/lib/dkms/nvidia/580/build/make.log": "1: error: x"}),
    "modprobe": (modprobe.SECTION, samples.MODPROBE),
    "use": (use.SECTION, samples.USE | {"blocked": ""}),
    "cuda": (cuda.SECTION, samples.CUDA | {"unloaded": "", "nouvm": "", "nouser": "", "hung": "7"}),
    "platform": (platform.SECTION, samples.PLATFORM),
    "installers": (installers.SECTION, samples.INSTALLERS | {"nosystemd": "", "automatic": "yes"}),
    "fabric": (fabric.SECTION, samples.FABRIC | {"nobus": "", "nosystemd": ""}),
    "libraries": (libraries.SECTION, samples.LIBRARIES),
    "nodes": (nodes.SECTION, samples.NODES),
    "packages": (packages.SECTION, samples.PACKAGES | {"none": "", "rpm": "a\t1\tx", "locks": "", "manager": "dnf"}),
    "kernel_log": (kernel_log.SECTION, samples.KERNEL_LOG | {"ring": "@now 1 1.0\n[ 1.0] NVRM: x\n@lines 1 1"}),
    "nvml": (
        nvml.SECTION,
        {
            "gpus": "0, GPU-1, 00000000:01:00.0, 580, x, Enabled, [N/A], Default, 1, 1, 1, 1, 1.0, 1.0, 1, 1, 1, 1, 1, "
            "0x1, 1, 1, 1, 1, [N/A], 1, 1, 1, [N/A], [N/A], [N/A], 8.6, NVIDIA A",
            "mig": "GPU 0: NVIDIA A (UUID: GPU-1)\n  MIG 1g.5gb Device 0: (UUID: MIG-1)",
            "licence": "    Virtualization Mode      : VGPU\n    License Status    : Licensed",
            "asked": "",
            "core": "No devices were found",
            "apps": "1, GPU-1, 5, x",
            "banner": "CUDA Version: 12.4",
            "unloaded": "",
        },
    ),
}
codes = st.sampled_from([None, 0, 0, 0, 0, 1, 2, 6, 9, 124, 127, 255])


def text_of(part: str | Part) -> str:
    return part.text if isinstance(part, Part) else part


@st.composite
def outputs(draw: st.DrawFn, name: str) -> Output:
    """Parts that are left out, cut, from another part, or anything at all."""
    _, known = SAMPLES[name]
    pieces = [line for part in known.values() for line in text_of(part).split("\n")]
    parts = {}
    for part_name, sample in known.items():
        real = text_of(sample)
        text = draw(
            st.one_of(
                st.just(real),
                st.builds(slice, st.integers(0, 80)).map(real.__getitem__),
                st.lists(st.one_of(st.sampled_from(pieces), st.text(max_size=30)), max_size=6).map("\n".join),
            )
        )
        missing = draw(st.sampled_from(["", "", "", "", "tool"]))
        if draw(st.integers(0, 4)):
            parts[part_name] = Part(draw(codes), text, missing)
    return Output(name, parts, draw(st.booleans()))


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_output_is_a_reading(name: str, data: st.DataObject) -> None:
    section, _ = SAMPLES[name]
    reading = section.parse(data.draw(outputs(name)))
    assert isinstance(reading, Known | Absent | Unreadable)
    assert not isinstance(reading, Unreadable) or reading.why


def floods(sample: str) -> list[str]:
    """What makes a pattern with two open ends take its length squared, and one that backtracks much more."""
    size = 65_536
    units = ["a", " ", "0", "=", '"', "\\", "(", "[", "/", ",", "|", ".", "\t", ": ", "0 ", "- ", "x => ", "1,", "=a "]
    lines = sample.split("\n")
    shuffled = list(sample)
    random.Random(1).shuffle(shuffled)
    repeated = [unit * (size // len(unit)) for unit in units] + ["".join(shuffled) * (size // (len(sample) + 1))]
    return repeated + [lines[0] + one for one in repeated] + [one + lines[-1] for one in repeated]


@pytest.mark.parametrize("name", SAMPLES)
def test_long_lines_take_bounded_time(name: str) -> None:
    section, parts = SAMPLES[name]
    slow = []
    for part_name, sample in parts.items():
        for flood in floods(text_of(sample)):
            began = time.process_time()
            section.parse(Output(name, {**whole(parts), part_name: Part(0, flood)}, True))
            if time.process_time() - began > 1:
                slow.append((part_name, flood[:60]))
    assert not slow


def whole(parts: samples.Parts) -> dict[str, Part]:
    return {name: part if isinstance(part, Part) else Part(0, part) for name, part in parts.items() if part != ""}
