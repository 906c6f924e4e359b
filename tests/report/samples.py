"""Result records for the formats' tests: one of each kind, a large fleet, and anything that the types allow."""

from __future__ import annotations

from hypothesis import strategies as st

from ongpu.host.result import (
    Device,
    Evidence,
    Finding,
    Fix,
    FleetResult,
    HostResult,
    ModelResult,
    PlannedChange,
    Testimony,
    Unknown,
)

GIB = 1 << 30
FACTS = {"kernel": "6.1.0-44-amd64", "driver": "580.95.05", "ollama": "0.32.15", "boot_id": "5f2c"}
HOSTILE = "<script>alert(1)</script> | \"q\" & 'x' \\ \x00\x1b[31m {{ 7 * 7 }} ]]> \u2028\nnext"


def fleet(*hosts: HostResult, command: str = "drift") -> FleetResult:
    return FleetResult(
        command=command,
        started_at="2026-11-24T05:00:00+00:00",
        finished_at="2026-11-24T05:00:42+00:00",
        hosts=hosts,
    )


def proven(host: str = "gpu01") -> HostResult:
    model = ModelResult(
        name="llama3.1:8b",
        verdict="verified",
        summary=f"llama3.1:8b on {host}: fully on GPU 0 (5.2 GiB, api+log+driver agree)",
        testimonies=(
            Testimony(witness="api", says="yes", why="all bytes on GPU"),
            Testimony(witness="driver", says="yes", why="5.4 GiB on GPU 0"),
            Testimony(witness="log", says="silent", why="the journal may not be read"),
        ),
        size_bytes=5_583_457_484,
        gpu_bytes=5_583_457_484,
        context_length=8192,
        tokens_per_second=95.4,
        gpus=(0,),
    )
    return HostResult(
        host=host,
        verdict="ok",
        summary="as declared; 1 of 1 models loaded, fully on GPU",
        gpus="1 x L4 23 GB",
        models=(model,),
        devices=(device(used=6 * GIB, models=5 * GIB),),
        facts=FACTS,
    )


def device(used: int | None, models: int | None, index: int = 0) -> Device:
    name, uuid = "NVIDIA L4", f"GPU-0000000{index}"
    return Device(index=index, uuid=uuid, name=name, total_bytes=23 * GIB, used_bytes=used, models_bytes=models)


def idle(host: str = "gpu02") -> HostResult:
    model = ModelResult(
        name="qwen3:8b", verdict="not_loaded", summary=f"qwen3:8b on {host}: not loaded now", testimonies=()
    )
    summary = "as declared; no model of 1 is loaded now"
    return HostResult(host=host, verdict="ok", summary=summary, gpus="1 x L4 23 GB", models=(model,), facts=FACTS)


def drifted(host: str = "gpu03") -> HostResult:
    change = PlannedChange(
        resource="override",
        kind="change",
        summary="write 50-ongpu.conf",
        diff='--- a\n+++ b\n+Environment="OLLAMA_CONTEXT_LENGTH=8192"\n',
    )
    late = PlannedChange(resource="restart", kind="deferred", summary="waits for override", interrupts="restart")
    finding = Finding(
        rule="SW-007",
        cause="library-mismatch",
        severity="critical",
        summary="nvidia-smi fails: the library is 580.105.08, the module 580.95.05",
        because="the driver's packages were upgraded and the old module is still loaded",
        evidence=(Evidence(source="nvidia-smi", line="Failed to initialize NVML: Driver/library version mismatch"),),
        fix=Fix(text="reload the module, or reboot", safety="reboot", commands=("systemctl reboot",)),
        symptoms=("Ollama runs on the CPU",),
    )
    return HostResult(
        host=host,
        verdict="findings",
        summary="not as declared: write 50-ongpu.conf",
        gpus="2 x L4 23 GB",
        findings=(finding,),
        changes=(change, late),
        devices=(device(20 * GIB, 11 * GIB), device(2 * GIB, None, index=1)),
        facts=FACTS,
    )


def on_cpu(host: str = "gpu04") -> HostResult:
    summary = f"llama3.3:70b on {host} runs 40 % on CPU: 3.1 GiB of 5.2 GiB on GPU 0"
    model = ModelResult(
        name="llama3.3:70b",
        verdict="not_verified",
        summary=summary,
        testimonies=(
            Testimony(
                witness="log",
                says="no",
                why="2.1 GiB of weights on the CPU",
                evidence=(Evidence(source="journalctl", line="load_tensors: CPU model buffer size = 2150.00 MiB"),),
            ),
        ),
        size_bytes=5 * GIB,
        gpu_bytes=3 * GIB,
    )
    return HostResult(host=host, verdict="failed", summary=summary, models=(model,), facts=FACTS)


def down(host: str = "gpu05") -> HostResult:
    why = "unreachable: timed out"
    unknown = Unknown(what="unreachable", why=why, allow="see what hangs there")
    return HostResult(host=host, verdict="unknown", summary=why, error=why, unknowns=(unknown,))


def hostile() -> HostResult:
    return HostResult(
        host=HOSTILE,
        verdict="failed",
        summary=HOSTILE,
        gpus=HOSTILE,
        findings=(
            Finding(
                rule=HOSTILE, cause=HOSTILE, severity="warning", summary=HOSTILE, because=HOSTILE,
                evidence=(Evidence(source=HOSTILE, line=HOSTILE),),
                fix=Fix(text=HOSTILE, safety="manual", commands=(HOSTILE,)), symptoms=(HOSTILE,),
            ),
        ),
        unknowns=(Unknown(what=HOSTILE, why=HOSTILE, allow=HOSTILE),),
        changes=(PlannedChange(resource=HOSTILE, kind="change", summary=HOSTILE, diff=HOSTILE),),
        models=(
            ModelResult(
                name=HOSTILE, verdict="not_verified", summary=HOSTILE,
                testimonies=(
                    Testimony(
                        witness=HOSTILE, says="no", why=HOSTILE, evidence=(Evidence(source=HOSTILE, line=HOSTILE),)
                    ),
                ),
            ),
        ),
        devices=(Device(index=0, uuid=HOSTILE, name=HOSTILE, total_bytes=5, used_bytes=9, models_bytes=9),),
        facts={"driver": HOSTILE},
        error=HOSTILE,
    )  # fmt: skip


MIXED = fleet(proven(), idle(), drifted(), on_cpu(), down())


def large(count: int) -> FleetResult:
    kinds = (proven, proven, proven, idle, proven, drifted, proven, on_cpu, proven, down)
    return fleet(*(kinds[number % len(kinds)](f"gpu-a{number:04}") for number in range(count)))


TEXT = st.text(max_size=30)
ANY_FLEET = st.builds(
    FleetResult,
    command=st.sampled_from(("drift", "plan", "verify")),
    started_at=st.sampled_from(("", "2026-11-24T05:00:00+00:00")),
    finished_at=st.sampled_from(("", "2026-11-24T05:00:42+00:00")),
    hosts=st.lists(
        st.builds(
            HostResult,
            findings=st.lists(st.from_type(Finding), max_size=2).map(tuple),
            unknowns=st.lists(st.from_type(Unknown), max_size=2).map(tuple),
            changes=st.lists(st.from_type(PlannedChange), max_size=2).map(tuple),
            models=st.lists(st.from_type(ModelResult), max_size=2).map(tuple),
            devices=st.lists(st.from_type(Device), max_size=2).map(tuple),
            facts=st.dictionaries(st.sampled_from(("driver", "kernel", "ollama")), TEXT, max_size=2),
        ),
        max_size=3,
    ).map(tuple),
)
