"""What only two witnesses together show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ongpu.host.gpu import Gpu, GpuInfo, GpuMemory, GpuPerformance, GpuProcess, GpuSettings, Nvml, PciGpu
from ongpu.host.ollama import Api, LoadedModel, OllamaInstall, Process, Runner, Service
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from tests.rules.test_from_snapshot import causes, of

NOT: Unreadable = Unreadable("not asked")
ADDRESSES = ("0000:01:00.0", "0000:41:00.0")


def gpu(index: int, width: int = 16) -> Gpu:
    blind = dict.fromkeys(GpuPerformance.__dataclass_fields__, NOT)
    speed = GpuPerformance(**{**blind, "pcie_width": Known(width, "q"), "pcie_max_width": Known(16, "q")})
    info = GpuInfo(
        index=index, uuid=f"GPU-{index}", name="NVIDIA L4", pci_address=ADDRESSES[index], compute_capability=NOT,
        persistence=NOT, mig=NOT, compute_mode=NOT, vbios=NOT,
    )  # fmt: skip
    return Gpu(info=info, memory=GpuMemory(total_bytes=NOT, used_bytes=NOT, free_bytes=NOT), performance=speed)


def nvml(gpus: int, processes: Reading[tuple[GpuProcess, ...]] = NOT, width: int = 16) -> Known[Nvml]:
    found = tuple(gpu(index, width) for index in range(gpus))
    return Known(
        Nvml(
            exit_code=0, message="", driver_version=NOT, cuda_version=NOT, gpus=Known(found, "q"), processes=processes
        ),
        "nvidia-smi",
    )


def pci(*drivers: str) -> Known[tuple[PciGpu, ...]]:
    found = zip(ADDRESSES, drivers, strict=False)
    return Known(
        tuple(PciGpu(address=a, device_id="0x27b8", subsystem_id="", pci_class="0x030200", driver=d) for a, d in found),
        "sysfs",
    )


def service(*, orphan: bool = False) -> Known[Service]:
    process = Process(
        pid=4711, parent_pid=1 if orphan else 99, user="ollama", exe=NOT, command=("/x/llama-server", "--model"),
        environ=NOT, started_at=NOT,
    )  # fmt: skip
    runner = Runner(process=process, model_path="/m/a", port=40000, orphan=orphan)
    return Known(
        Service(
            load_state="loaded", active_state="active", sub_state="running", enabled="", fragment="", drop_ins=(),
            needs_reload=False, user="ollama", group="ollama", exec_start="", environment={}, environment_files=(),
            properties={}, main_pid=99, started_at=NOT, restarts=0, invocation_id="", main=NOT,
            runners=Known((runner,), "ps"),
        ),
        "systemctl",
    )  # fmt: skip


MODEL = LoadedModel(
    name="m", digest="a" * 64, size_bytes=10**9, size_vram_bytes=10**9, context_length=4096, expires_at=""
)


def api(model: LoadedModel = MODEL) -> Known[Api]:
    return Known(
        Api(endpoint="", version=Known("0.31.1", "api"), models=Absent(""), loaded=Known((model,), "api")), "api"
    )


def process(pid: int, used: Reading[int]) -> Known[tuple[GpuProcess, ...]]:
    return Known((GpuProcess(pid=pid, name="x", gpu_uuid="GPU-0", used_bytes=used),), "nvidia-smi")


@pytest.mark.parametrize(
    ("gpus", "drivers", "expected"),
    [
        (1, ("nvidia", "nvidia"), ["gpu-missing-from-driver"]),
        (1, ("nvidia", ""), ["gpu-missing-from-driver"]),
        (2, ("nvidia", "nvidia"), []),
        (1, ("nvidia",), []),
    ],
)
def test_a_gpu_that_only_the_bus_shows(gpus: int, drivers: tuple[str, ...], expected: list[str]) -> None:
    assert causes(of(nvml=nvml(gpus), pci=pci(*drivers))) == expected


def test_a_gpu_that_was_given_to_virtual_machines_is_not_missing() -> None:
    assert causes(of(nvml=nvml(1), pci=pci("nvidia", "vfio-pci"))) == []
    assert causes(of(pci=pci("vfio-pci"))) == ["vfio-holds-device"]


def test_a_narrow_link() -> None:
    assert causes(of(nvml=nvml(1, width=1))) == ["pcie-link-degraded"]
    assert causes(of(nvml=nvml(1, width=8))) == []


def test_a_runner_without_a_server() -> None:
    assert causes(of(service=service(orphan=True))) == ["orphan-runner"]
    assert causes(of(service=service())) == []


@pytest.mark.parametrize(
    ("processes", "model", "expected"),
    [
        (process(99999, Known(5, "smi")), MODEL, ["witnesses-contradict"]),
        (Known((), "smi"), MODEL, ["witnesses-contradict"]),
        (process(4711, Known(10**9, "smi")), MODEL, []),
        (process(99999, Absent("N/A")), MODEL, []),  # MIG, WSL: the driver does not tell
        (NOT, MODEL, []),
    ],
)
def test_the_driver_and_the_api_contradict_each_other(
    processes: Reading[tuple[GpuProcess, ...]], model: LoadedModel, expected: list[str]
) -> None:
    assert causes(of(service=service(), api=api(model), nvml=nvml(1, processes))) == expected


def test_a_model_that_is_not_fully_on_the_gpu_is_no_contradiction() -> None:
    half = replace(MODEL, size_vram_bytes=0)
    found = of(service=service(), api=api(half), nvml=nvml(1, Known((), "smi")))
    assert "witnesses-contradict" not in causes(found)


def with_settings(**settings: Reading[object]) -> Known[Nvml]:
    found = nvml(1)
    one = gpu(0)
    limited = replace(one.performance, power_limit_watts=Known(150.0, "q"))
    return replace(
        found,
        value=replace(
            found.value,
            gpus=Known((replace(one, performance=limited, settings=GpuSettings(**settings)),), "q"),  # type: ignore[arg-type]
        ),
    )


def test_a_mode_that_changes_with_the_next_reset_is_told() -> None:
    told = of(nvml=with_settings(ecc=Known(True, "q"), ecc_pending=Known(False, "q")))
    assert causes(told) == ["mode-change-pending"]
    assert causes(of(nvml=with_settings(ecc=Known(True, "q"), ecc_pending=Known(True, "q")))) == []
    assert causes(of(nvml=with_settings(ecc=Known(True, "q"), ecc_pending=NOT))) == []


def test_a_lowered_power_limit_alone_is_no_finding() -> None:
    assert causes(of(nvml=with_settings(power_default_watts=Known(300.0, "q")))) == []


def test_a_container_without_a_gpu_is_named() -> None:
    install = OllamaInstall(
        binaries=(), trees=(), release=NOT, kept=(), account=NOT, packaging=("docker",),
        container_has_gpu=Known(False, "/proc"),
    )  # fmt: skip
    assert causes(of(ollama=Known(install, "q"))) == ["container-without-gpu"]
    for other in (Known(True, "/proc"), NOT):
        assert causes(of(ollama=Known(replace(install, container_has_gpu=other), "q"))) == []
