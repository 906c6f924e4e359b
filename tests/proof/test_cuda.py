"""Does CUDA start: the probe's word, else Ollama's; fewer GPUs than NVML lists; not tried is no proof."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ongpu.host.cuda import NO_TOOL, CudaInit
from ongpu.host.ollama import Journal
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.result import Finding, Unknown
from ongpu.host.snapshot import HostSnapshot
from ongpu.proof.cuda import cuda_objection, cuda_of
from tests.plan.builders import configured_host

FOUND = 'level=INFO source=types.go:42 msg="inference compute" id=GPU-1 library=CUDA compute=8.9 name=CUDA0 pci_id=1'


def host(cuda: Reading[CudaInit], journal: tuple[str, ...] = ()) -> HostSnapshot:
    """One GPU, the driver loaded, Ollama running."""
    lines = Journal(lines=journal, truncated=False, suppressed=0)
    return replace(configured_host().snapshot(), cuda=cuda, journal=Known(lines, "journalctl"))


def init(code: int = 0, devices: int = 1) -> Known[CudaInit]:
    return Known(CudaInit(code=code, devices=devices, library="/usr/lib/libcuda.so.1", user="ollama"), "cuInit")


def test_fine() -> None:
    assert cuda_objection(None, host(init()), proven=False) is None
    assert cuda_objection(None, host(Absent("no driver")), proven=False) is None
    assert cuda_objection(0, host(init(999)), proven=False) is None


@pytest.mark.parametrize("proven", [True, False])
def test_a_code_is_a_finding_whatever_else_is_proven(proven: bool) -> None:
    found = cuda_objection(None, host(init(802, 0)), proven=proven)
    assert isinstance(found, Finding)
    assert "802 (SYSTEM_NOT_READY)" in found.summary
    assert "for ollama" in found.summary


def test_fewer_gpus_than_nvml_lists() -> None:
    found = cuda_objection(None, host(init(devices=0)), proven=True)
    assert isinstance(found, Finding)
    assert "0 of the 1 GPUs" in found.summary


def test_not_tried_is_unknown_unless_models_are_proven() -> None:
    blind = Unreadable("CUDA gave no answer within 15 seconds")
    assert isinstance(cuda_objection(None, host(blind), proven=False), Unknown)
    assert cuda_objection(None, host(blind), proven=True) is None


def test_a_host_without_python_is_not_doubted_for_that() -> None:
    blind = Unreadable("CUDA was not tried: python3 is not installed", NO_TOOL)
    assert cuda_objection(None, host(blind), proven=False) is None


def test_ollama_s_own_word() -> None:
    blind = Unreadable("CUDA was not tried: python3 is not installed")
    found = cuda_of(host(blind, (f"time=2026-11-24T10:00:00Z {FOUND}",)))
    assert isinstance(found, Known)
    assert "Ollama's log" in found.source
    cpu = FOUND.replace("CUDA", "cpu")
    assert isinstance(cuda_of(host(blind, (f"time=2026-11-24T10:00:00Z {cpu}",))), Unreadable)
