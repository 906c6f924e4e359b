"""Hosts to prove a model on: recordings of a real server, with the processes and the driver beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ongpu.host.gpu import Gpu, GpuInfo, GpuMemory, GpuPerformance, GpuProcess, Nvml
from ongpu.host.ollama import Api, Journal, LoadedModel, Model, Process, Runner, Service
from ongpu.host.ollama_log import loads
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.proof.case import Asked, Case, Declared, Shape, case

RECORDINGS = Path(__file__).parent.parent / "recordings" / "ollama"
MIB = 1024 * 1024
PID = 4711
UUID = "GPU-00000000-1111-2222-3333-444444444444"
BLIND = Unreadable("not asked in this test")
CONTEXT_MIB = 180  # a CUDA context's own memory


@dataclass(frozen=True, slots=True)
class Scene:
    """What a test may vary; `snapshot()` and `case()` put it together."""

    lines: tuple[str, ...]
    loaded: tuple[LoadedModel, ...]
    path: str
    port: int | None
    environ: Reading[Mapping[str, str]]
    flags: tuple[str, ...]
    held: Reading[int] | None  # bytes of the runner on the GPU; None = the driver does not list it
    name: str
    asked: Asked
    declared: Declared
    running: bool = True
    file_bytes: int = 0
    nvml: Reading[Nvml] | None = None
    journal: Reading[Journal] | None = None

    def snapshot(self) -> HostSnapshot:
        blank = HostSnapshot.unreadable(BLIND.why)
        journal = Known(Journal(lines=self.lines, truncated=False, suppressed=0), "journalctl ollama.service")
        return replace(
            blank,
            api=Known(self._api(), "http://127.0.0.1:11434"),
            service=Known(self._service(), "systemctl show ollama.service"),
            journal=self.journal or journal,
            nvml=self.nvml or Known(self._nvml(), "nvidia-smi"),
        )

    def case(self) -> Case:
        return case(self.declared, self.snapshot(), self.asked)

    def but(self, **changes: Any) -> Scene:
        return replace(self, **changes)

    def _api(self) -> Api:
        stored = Model(
            name=self.name,
            digest="d" * 64,
            size_bytes=self.file_bytes,
            family="llama",
            parameter_size="",
            quantization="",
            remote=False,
        )
        return Api(
            endpoint="http://127.0.0.1:11434",
            version=Known("0.33.0", "api"),
            models=Known((stored,), "http://127.0.0.1:11434/api/tags"),
            loaded=Known(self.loaded, "http://127.0.0.1:11434/api/ps"),
        )

    def _service(self) -> Service:
        main = process(700, 1, ("/usr/local/bin/ollama", "serve"), self.environ)
        command = ("/usr/local/lib/ollama/llama-server", "--model", self.path, "--port", str(self.port), *self.flags)
        runner = Runner(
            process=process(PID, 700, command, self.environ), model_path=self.path, port=self.port, orphan=False
        )
        return service(main, (runner,) if self.running else ())

    def _nvml(self) -> Nvml:
        own = GpuProcess(pid=PID, name="llama-server", gpu_uuid=UUID, used_bytes=self.held or Known(0, "nvidia-smi"))
        total = self.held.value if isinstance(self.held, Known) else 0
        return nvml((gpu(0, UUID, total),), (own,) if self.held is not None else ())


def process(pid: int, parent: int, command: tuple[str, ...], environ: Reading[Mapping[str, str]]) -> Process:
    return Process(
        pid=pid,
        parent_pid=parent,
        user="ollama",
        exe=Known(command[0], "/proc"),
        command=command,
        environ=environ,
        started_at=BLIND,
    )


def service(main: Process, runners: tuple[Runner, ...]) -> Service:
    return Service(
        load_state="loaded",
        active_state="active",
        sub_state="running",
        enabled="enabled",
        fragment="/etc/systemd/system/ollama.service",
        drop_ins=(),
        needs_reload=False,
        user="ollama",
        group="ollama",
        exec_start="/usr/local/bin/ollama serve",
        environment={},
        environment_files=(),
        properties={},
        main_pid=main.pid,
        started_at=BLIND,
        restarts=0,
        invocation_id="0" * 32,
        main=Known(main, "/proc"),
        runners=Known(runners, "/proc"),
    )


def gpu(index: int, uuid: str, used: int) -> Gpu:
    info = GpuInfo(
        index=index,
        uuid=uuid,
        name="NVIDIA GeForce RTX 4060",
        pci_address=f"0000:0{index + 1}:00.0",
        compute_capability=Known("8.9", "nvidia-smi"),
        persistence=BLIND,
        mig=BLIND,
        compute_mode=BLIND,
        vbios=BLIND,
    )
    memory = GpuMemory(
        total_bytes=Known(8188 * MIB, "nvidia-smi"), used_bytes=Known(used, "nvidia-smi"), free_bytes=BLIND
    )
    fields = dict.fromkeys(GpuPerformance.__dataclass_fields__, BLIND)
    return Gpu(info=info, memory=memory, performance=GpuPerformance(**fields))


def nvml(gpus: tuple[Gpu, ...], processes: tuple[GpuProcess, ...]) -> Nvml:
    return Nvml(
        exit_code=0,
        message="",
        driver_version=Known("580.65.06", "nvidia-smi"),
        cuda_version=Known("13.0", "nvidia-smi"),
        gpus=Known(gpus, "nvidia-smi"),
        processes=Known(processes, "nvidia-smi"),
    )


def recorded(name: str, *, cuda: bool = True, environ: Mapping[str, str] | None = None) -> Scene:
    """A recording, and a driver that holds exactly the GPU buffers of its last load.

    `cuda`: as if its software Vulkan device were a CUDA one; llama.cpp prints the same lines for both.
    """
    text = (RECORDINGS / name / "serve.log").read_bytes().decode("utf-8", "replace")
    if cuda:
        text = text.replace("Vulkan", "CUDA").replace("llvmpipe (LLVM 15.0.6, 256 bits)", "NVIDIA GeForce RTX 4060")
    lines = tuple(text.split("\n"))
    last = loads(lines)[-1]
    entries = json.loads((RECORDINGS / name / "ps.json").read_text())["models"]
    loaded = tuple(_loaded(entry) for entry in entries)
    model = loaded[0].name if loaded else "tiny:latest"
    on_gpu = sum(buffer.mib for buffer in last.buffers if buffer.is_gpu)
    held = Known(round((on_gpu + CONTEXT_MIB) * MIB), "nvidia-smi") if on_gpu else None
    digest = re.search(r"sha256-[0-9a-f]+", last.model_path)
    return Scene(
        lines=lines,
        loaded=loaded,
        path=last.model_path,
        port=last.port or 40000,
        environ=Known({"PATH": "/usr/bin", **(environ or {})}, f"/proc/{PID}/environ"),
        flags=("-c", "4096", "-np", "1"),
        held=held,
        name=model,
        asked=Asked(outcome="resident", blob=digest[0] if digest else "", shape=Shape(layers=7)),
        declared=Declared(host="gpu1", name=model),
        running=bool(loaded),
        file_bytes=round((last.file_mib or 0) * MIB),
    )


def _loaded(entry: dict[str, Any]) -> LoadedModel:
    return LoadedModel(
        name=entry["name"],
        digest=entry["digest"],
        size_bytes=entry["size"],
        size_vram_bytes=entry["size_vram"],
        context_length=entry["context_length"],
        expires_at=entry["expires_at"],
    )


def nothing() -> Absent:
    return Absent("it is not there")
