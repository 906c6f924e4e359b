from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ongpu.fleet.facts import devices_of, facts_of
from ongpu.host.gpu import GpuProcess
from ongpu.host.reading import Absent, Known
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe.decode import decode
from tests.proof.scenes import BLIND, PID, UUID, gpu, nvml, process, service

RECORDINGS = Path(__file__).resolve().parent.parent / "recordings" / "probe"
GIB = 1 << 30


def snapshot(*processes: GpuProcess, runners: bool = True) -> HostSnapshot:
    from ongpu.host.ollama import Runner

    main = process(700, 1, ("ollama", "serve"), BLIND)
    runner = Runner(process=process(PID, 700, ("llama-server",), BLIND), model_path="/m", port=1, orphan=False)
    return replace(
        HostSnapshot.unreadable("not asked"),
        nvml=Known(nvml((gpu(0, UUID, 6 * GIB),), processes), "nvidia-smi"),
        service=Known(service(main, (runner,)), "systemctl") if runners else BLIND,
    )


def held(pid: int, size: int | None) -> GpuProcess:
    used = Known(size, "nvidia-smi") if size is not None else Absent("N/A")
    return GpuProcess(pid=pid, name="llama-server", gpu_uuid=UUID, used_bytes=used)


def test_memory_of_models_is_that_of_the_runners() -> None:
    (device,) = devices_of(snapshot(held(PID, 5 * GIB), held(1, GIB)))
    assert device.models_bytes == 5 * GIB
    assert devices_of(snapshot())[0].models_bytes == 0


@pytest.mark.parametrize("host", [snapshot(held(PID, None)), snapshot(held(PID, GIB), runners=False)])
def test_a_part_that_is_not_known_makes_the_sum_unknown(host: HostSnapshot) -> None:
    assert devices_of(host)[0].models_bytes is None


def test_a_host_that_was_not_read_has_neither() -> None:
    for blind in (None, HostSnapshot.unreadable("no route to host")):
        assert devices_of(blind) == ()
        assert facts_of(blind) == {}


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("*.txt")), ids=lambda file: file.stem)
def test_facts_of_recorded_hosts_are_plain_texts(file: Path) -> None:
    facts = facts_of(decode(file.read_text(encoding="utf-8")))
    assert facts["service"] in ("active", "inactive", "failed")
    assert all(isinstance(value, str) and value for value in facts.values())
