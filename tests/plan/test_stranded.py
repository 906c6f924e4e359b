"""Models that went to the CPU while the driver was out of order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from ongpu.host.reading import Unreadable
from ongpu.host.system import KernelLine
from tests.plan.builders import configured_host, planned, spec
from tests.plan.runs import run
from tests.plan.world import RUNNER, World

CPU_ONLY = ('time=x level=INFO source=types.go:60 msg="inference compute" id=cpu library=cpu',)


def broken(*, always: bool = False) -> World:
    """The driver's libraries were upgraded under its module, a model was loaded, and the driver was put back."""
    host = configured_host()
    host.clock += timedelta(days=1)
    host.always_on_cpu = always
    host.load_on_cpu()
    host.refuse()
    return host


def restarts(host: World) -> tuple[str, ...]:
    return tuple(change.summary for change in planned(host).of("restart").changes)


def test_a_model_on_the_cpu_heals_by_one_restart() -> None:
    host = broken()
    assert restarts(host) == (
        "restart ollama.service: llama3.1:8b went to the CPU while the driver's libraries did not match its module; "
        "they match now",
    )
    assert run(host, spec()) == ""
    assert planned(host).empty


def test_one_that_stays_there_is_restarted_once_and_not_again() -> None:
    host = broken(always=True)
    assert run(host, spec()) == ""
    started = host.started
    assert (host.resident, host.on_cpu) == (("llama3.1:8b",), True)
    assert planned(host).empty, "what keeps it there is for the proof to say"
    assert run(host, spec()) == ""
    assert host.started == started


def test_a_start_that_found_no_gpu_is_repeated_once() -> None:
    host = configured_host()
    host.journal = CPU_ONLY
    assert planned(host).empty
    host.refuse()
    assert "it found no GPU while the driver's libraries did not match its module" in restarts(host)[0]
    assert run(host, spec()) == ""
    assert planned(host).empty


def test_the_runners_own_refusal_counts_too() -> None:
    host = broken()
    host.kernel_lines = [line for line in host.kernel_lines if "mismatch" not in line.text]
    assert not restarts(host)
    host.runner_started = host.clock
    host.refuse("llama-server", RUNNER)
    assert restarts(host)


def _later_runner(host: World) -> None:
    host.runner_started = host.clock + timedelta(hours=1)


def _hidden(host: World) -> None:
    host.process = (host.process or {}) | {"CUDA_VISIBLE_DEVICES": "-1"}
    host.other_drop_ins["/etc/systemd/system/ollama.service.d/10-x.conf"] = {"CUDA_VISIBLE_DEVICES": "-1"}


def _foreign_client(host: World) -> None:
    host.kernel_lines = [
        KernelLine(at=line.at, text=line.text.replace("nvidia-smi", "dcgm-exporter")) for line in host.kernel_lines
    ]


UNSURE: dict[str, Callable[[World], object]] = {
    "on the GPU": lambda host: setattr(host, "on_cpu", False),
    "not resident": lambda host: setattr(host, "resident", ()),
    "loaded after the driver was mended": _later_runner,
    "the process is newer": lambda host: setattr(host, "started", host.clock),
    "the GPUs are hidden": _hidden,
    "another client was refused": _foreign_client,
    "no refusal": lambda host: host.kernel_lines.clear(),
    "not declared": lambda host: (host.store.update(other="c" * 64), setattr(host, "resident", ("other",))),
    "the driver still fails": lambda host: setattr(host, "loaded", "580.65.06"),
    "kernel log closed": lambda host: host.blind.update(kernel_log=Unreadable("not permitted")),
    "driver not asked": lambda host: host.blind.update(nvml=Unreadable("no answer")),
    "journal and API closed": lambda host: host.blind.update(api=Unreadable("no answer")),
}


@pytest.mark.parametrize("why", UNSURE)
def test_nothing_is_restarted_on_a_guess(why: str) -> None:
    host = broken()
    UNSURE[why](host)
    assert not any("went to the CPU" in summary for summary in restarts(host))
