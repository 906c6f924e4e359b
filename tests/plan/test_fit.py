"""Before anything is restarted or downloaded: does it exist, is there room, does it fit?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ongpu.fit.description import Description, of_model_info
from ongpu.fit.foreseen import Foreseen
from ongpu.host.gpu import GpuProcess, Nvml
from ongpu.host.reading import Absent, Known
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.system import Disk, System
from ongpu.plan.build import plan
from ongpu.plan.types import Limits, Now, Plan
from tests.fit.planner import model_info
from tests.plan.builders import blank_host, configured_host, spec
from tests.plan.world import GPU, RUNNER, World

NAME = "llama3.1:8b"
GIB = 1 << 30
NOW = Now(datetime(2026, 11, 24, 10, tzinfo=UTC))


@pytest.fixture(scope="module")
def llama() -> Description:
    return of_model_info(NAME, model_info("llama3.1-8b.Q4_K_M"))


def host(missing: bool = True) -> World:
    made = configured_host()
    if missing:
        made.store.clear()
    return made


def seen(world: World, free: float = 7.6, processes: dict[int, float | None] | None = None) -> HostSnapshot:
    """The world with GPU memory: `free` GiB, and who holds how many GiB of the rest (None: the driver does not say)."""
    snapshot = world.snapshot()
    assert isinstance(snapshot.nvml, Known)
    nvml = snapshot.nvml.value
    assert isinstance(nvml, Nvml)
    assert isinstance(nvml.gpus, Known)
    (gpu,) = nvml.gpus.value
    memory = replace(gpu.memory, free_bytes=Known(int(free * GIB), "nvidia-smi"))
    held = tuple(
        GpuProcess(
            pid=pid,
            name="/usr/bin/x",
            gpu_uuid=GPU,
            used_bytes=Absent("[N/A]") if size is None else Known(int(size * GIB), "nvidia-smi"),
        )
        for pid, size in (processes or {}).items()
    )
    gpus = Known((replace(gpu, memory=memory),), "nvidia-smi")
    return replace(snapshot, nvml=Known(replace(nvml, gpus=gpus, processes=Known(held, "nvidia-smi")), "nvidia-smi"))


def planned(snapshot: HostSnapshot, foreseen: dict[str, Foreseen], limits: Limits | None = None, **over: Any) -> Plan:
    return plan(spec(**over), snapshot, NOW, limits or Limits(), foreseen)


def why(todo: Plan) -> str:
    (blocked,) = todo.blocked
    assert (blocked.resource, blocked.kind) == ("fit", "unsupported")
    assert {late.resource for late in todo.deferred} >= {"restart", "models"}
    assert not todo.of("models").changes
    return blocked.why


def test_what_fits_is_pulled_and_the_plan_shows_the_numbers(llama: Description) -> None:
    todo = planned(seen(host()), {NAME: Foreseen(description=llama, kind="gguf")})
    assert not todo.blocked
    (pull,) = todo.of("models").changes
    assert pull.summary == f"pull {NAME}"
    assert pull.diff.startswith("needs 7.0 GiB (weights 4.3, ")
    assert pull.diff.endswith("free are 7.6 GiB on GPU 0: fits")


def test_what_cannot_fit_is_refused_before_the_pull(llama: Description) -> None:
    foreseen = {NAME: Foreseen(description=llama, kind="gguf")}
    words = why(planned(seen(host(), free=4), foreseen))
    assert words.startswith(f"{NAME} cannot lie fully on the GPU: it needs 7.0 GiB")
    assert words.endswith("to go on anyway: --force")
    forced = planned(seen(host(), free=4), foreseen, Limits(force=True))
    assert not forced.blocked
    assert forced.of("models").changes[0].diff.endswith("does not fit")


def test_a_larger_context_for_a_model_that_is_there_is_refused_before_the_restart(llama: Description) -> None:
    over = {"models": {NAME: {"context": 65536}}}
    todo = planned(seen(host(missing=False)), {NAME: Foreseen(description=llama, kind="gguf")}, **over)
    assert "num_ctx" in why(todo)
    assert {late.resource for late in todo.deferred} == {"override", "restart", "models"}


def test_our_own_runners_make_room_and_other_programs_do_not(llama: Description) -> None:
    foreseen = {NAME: Foreseen(description=llama, kind="gguf")}
    world = host()
    world.store, world.resident = {"other:latest": "a" * 64}, ("other:latest",)
    assert not planned(seen(world, 2, {RUNNER: 5.5}), foreseen).blocked
    words = why(planned(seen(world, 2, {4711: 5.5}), foreseen))
    assert "it would fit with end the other programs on the GPUs (x)" in words


def test_where_the_driver_does_not_say_who_holds_memory_nothing_is_refused(llama: Description) -> None:
    foreseen = {NAME: Foreseen(description=llama, kind="gguf")}
    world = host()
    world.store, world.resident = {"other:latest": "a" * 64}, ("other:latest",)
    assert not planned(seen(world, 2, {RUNNER: None}), foreseen).blocked, "it may be ours"
    world.resident = ()
    assert why(planned(seen(world, 2, {4711: None}), foreseen)), "nothing of ours is loaded: it is somebody else's"


def test_several_models_must_fit_together(llama: Description) -> None:
    second = Foreseen(description=replace(llama, name="b"), kind="gguf")
    over: dict[str, Any] = {"models": {"b": {"context": 8192}}}
    words = why(planned(seen(host()), {NAME: Foreseen(description=llama, kind="gguf"), "b": second}, **over))
    assert "alone it fits" in words
    over["ollama"] = {"env": {"OLLAMA_MAX_LOADED_MODELS": 1}}
    assert not planned(seen(host()), {NAME: Foreseen(description=llama, kind="gguf"), "b": second}, **over).blocked


@pytest.mark.parametrize(
    ("kind", "words"),
    [("remote", "is a cloud model"), ("safetensors", "is a safetensors model"), ("absent", "knows no model")],
)
def test_what_is_no_model_for_this_host(kind: Any, words: str) -> None:
    assert words in why(planned(seen(host()), {NAME: Foreseen(kind=kind)}, Limits(force=True)))


def test_a_pin_that_the_registry_does_not_have() -> None:
    over = {"models": {NAME: {"digest": "sha256:" + "b" * 64}}}
    offered = Foreseen(kind="gguf", digests=("c" * 64, "d" * 64))
    words = why(planned(seen(host()), {NAME: offered}, **over))
    assert f"the registry's {NAME} is sha256:{'c' * 64} now, the inventory says sha256:{'b' * 64}" in words
    for fine in (Foreseen(kind="gguf"), Foreseen(kind="gguf", digests=("c" * 64, "b" * 64))):
        assert not planned(seen(host()), {NAME: fine}, **over).blocked


def test_a_disk_that_is_too_small() -> None:
    snapshot = seen(host())
    assert isinstance(snapshot.system, Known)
    system = snapshot.system.value
    assert isinstance(system, System)
    disks = (Disk(path="/", free_bytes=3 * GIB, total_bytes=9 * GIB),)
    snapshot = replace(snapshot, system=Known(replace(system, disks=disks), "df"))
    words = why(planned(snapshot, {NAME: Foreseen(kind="gguf", missing_bytes=4 * GIB)}))
    assert words == (
        f"the disk is too small: {NAME} needs 4.0 GiB more in /usr/share/ollama/.ollama/models, and 3.0 GiB are free"
    )
    assert not planned(snapshot, {NAME: Foreseen(kind="gguf", size_bytes=4 * GIB, missing_bytes=2 * GIB)}).blocked


def test_what_cannot_be_foreseen_is_no_reason_to_say_no() -> None:
    todo = planned(seen(host()), {NAME: Foreseen(why="the registry does not answer: HTTP 503")})
    assert not todo.blocked
    assert todo.of("models").changes[0].diff == (
        "whether it fits cannot be foreseen: the registry does not answer: HTTP 503"
    )
    assert not planned(blank_host().snapshot(), {}).of("fit").blocked
