"""What the kernel's log says about now, and about the service's start."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ongpu.host.ollama import Journal
from ongpu.host.reading import Known, Unreadable
from ongpu.host.system import KernelLine, KernelLog
from ongpu.rules.diagnose import diagnose
from ongpu.rules.from_kernel import kernel_log, started_too_early
from ongpu.rules.from_snapshot import evidence_from
from tests.plan.builders import configured_host, spec
from tests.plan.world import World

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LOADED = "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.95.05"
XID = "NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
CPU = 'time=T level=INFO source=types.go:50 msg="inference compute" id=cpu library=cpu'


def log(*lines: tuple[int, str]) -> KernelLog:
    return KernelLog(lines=tuple(KernelLine(at=AT + timedelta(seconds=s), text=text) for s, text in lines), xids=())


def causes(host: World) -> list[str]:
    return [finding.cause for finding in diagnose(evidence_from(host.snapshot())).findings]


def test_what_was_before_the_driver_was_loaded_anew_is_over() -> None:
    said = [text for _, text in kernel_log(log((0, XID), (1, "PM: suspend exit"), (5, LOADED), (6, "nvidia-uvm: x")))]
    assert said == ["PM: suspend exit", LOADED, "nvidia-uvm: x"]


def test_without_a_later_load_it_is_not() -> None:
    assert [text for _, text in kernel_log(log((0, LOADED), (5, XID)))] == [LOADED, XID]


def test_a_sentence_that_the_driver_wraps_is_read_as_one() -> None:
    wrapped = log(
        (0, "NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:1b80)"),
        (0, "NVRM: installed in this system is not supported by open"),
        (0, "NVRM: nvidia.ko because it does not include the required GPU"),
        (0, "NVRM: System Processor (GSP)."),
        (0, XID),
    )
    said = [text for _, text in kernel_log(wrapped)]
    assert len(said) == 2
    assert said[0].endswith("is not supported by open nvidia.ko because it does not include the required GPU System "
                            "Processor (GSP).")  # fmt: skip


@pytest.mark.parametrize(
    ("loaded_after", "is_early"),
    [(-30, False), (30, True), (0.4, True), (0.1, False)],
    ids=["long before", "long after", "within the second, after its first line", "within the second, before it"],
)
def test_who_was_first_is_told_by_the_first_line_of_the_journal(loaded_after: float, is_early: bool) -> None:
    host = configured_host(declared=spec(models={}))
    started = host.started
    host.kernel_lines = [KernelLine(at=started + timedelta(seconds=loaded_after), text=LOADED)]
    host.journal = (f"{started.timestamp() + 0.25:.6f} {CPU}",)
    assert (started_too_early(host.snapshot()) is not None) == is_early


def test_a_service_that_found_a_gpu_was_not_too_early() -> None:
    host = configured_host(declared=spec(models={}))
    host.kernel_lines = [KernelLine(at=host.started + timedelta(minutes=1), text=LOADED)]
    host.journal = (f"{host.started.timestamp():.6f} {CPU.replace('id=cpu library=cpu', 'id=GPU-1 library=CUDA')}",)
    assert started_too_early(host.snapshot()) is None


def test_without_the_kernels_word_only_a_service_of_the_boot_may_have_been_too_early() -> None:
    host = configured_host(declared=spec(models={}))
    host.kernel_lines = []
    late = replace(host.snapshot(), journal=Known(Journal(lines=(f"1.0 {CPU}",), truncated=False, suppressed=0), ""))
    blind = replace(late, kernel_log=Unreadable("no permission"))
    early = isinstance(late.service, Known) and isinstance(late.system, Known)
    assert early
    service, system = late.service.value, late.system.value  # type: ignore[union-attr]
    for minutes, expected in ((2, True), (90, False)):
        began = replace(service, started_at=Known(system.booted_at.value + timedelta(minutes=minutes), ""))  # type: ignore[union-attr]
        after = replace(system, clock=system.booted_at.value + timedelta(minutes=120))  # type: ignore[union-attr]
        seen = replace(blind, service=Known(began, ""), system=Known(after, ""))
        assert (started_too_early(seen) is not None) == expected


def test_a_mismatch_that_is_mended_is_over() -> None:
    host = configured_host(declared=spec(models={}))
    host.refuse()
    host.journal = (f"1.0 {CPU.replace('id=cpu library=cpu', 'id=GPU-1 library=CUDA')}",)
    assert "driver-library-mismatch" not in causes(host)
    host.packages = {name: replace(p, version="590.44.01-1") for name, p in host.packages.items()}
    assert "driver-library-mismatch" in causes(host)


def test_a_service_that_lost_its_gpus_meanwhile_has_to_be_restarted() -> None:
    host = configured_host()
    host.load_on_cpu()
    host.refuse()
    assert causes(host)[0] == "service-older-than-driver"
    host.started = host.clock + timedelta(minutes=1)
    assert "service-older-than-driver" not in causes(host)


DENIED = 'audit: avc:  denied  { read write } for  pid=812 comm="ollama" path="/dev/nvidiactl" tclass=chr_file'
CUDA = 'time=T level=INFO source=types.go:32 msg="inference compute" id=GPU-1 library=CUDA compute=8.9'


@pytest.mark.parametrize(
    ("denied", "found", "named"),
    [(-60, CUDA, []), (60, CUDA, ["selinux-denies-device"]), (-60, CPU, ["selinux-denies-device"])],
)
def test_what_was_denied_before_a_service_that_found_its_gpu_is_over(denied: int, found: str, named: list[str]) -> None:
    host = configured_host(declared=spec(models={}))
    snapshot = host.snapshot()
    assert isinstance(snapshot.service, Known)
    service = replace(snapshot.service.value, started_at=Known(AT, "systemctl"))
    snapshot = replace(
        snapshot,
        service=Known(service, ""),
        kernel_log=Known(log((denied, DENIED)), ""),
        journal=Known(Journal(lines=(found,), truncated=False, suppressed=0), ""),
    )
    causes = [finding.cause for finding in diagnose(evidence_from(snapshot)).findings]
    assert [cause for cause in causes if cause == "selinux-denies-device"] == named
