"""The journal parser against recordings of a real server: what it says must agree with the server's own /api/ps."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.host.ollama_log import GAP, Load, discoveries, load_of, loads, records, server_config, suppressed

RECORDINGS = Path(__file__).parent.parent / "recordings" / "ollama"
TINY = "/srv/ollama/models/blobs/sha256-55cbea2b0fb3717aea6a357f7feb15603eb63e4af6a002a2226d06248a7a5032"


def lines(name: str) -> list[str]:
    return (RECORDINGS / name / "serve.log").read_bytes().decode("utf-8", "replace").split("\n")


def last(name: str) -> Load:
    return loads(lines(name))[-1]


def test_a_load_fully_on_the_gpu() -> None:
    (load,) = loads(lines("vk-baseline"))
    assert load.complete
    assert not load.failed
    assert not load.interleaved
    assert not load.suppressed
    assert (load.generation, load.port, load.seen_start) == ("llama-server", 46769, True)
    assert load.model_path.endswith("68c783a0")
    assert load.offloaded == ((7, 7),)
    assert load.graph_splits == (2,)
    assert load.overflowing == ()
    assert load.mib("model", cpu=False) == 20.42
    assert load.mib("model", cpu=True) == 0.11
    assert load.mib("KV", cpu=True) == load.mib("compute", cpu=True) == 0
    assert (load.context, load.parallel, load.flash_attention) == (4096, 1, True)
    assert (load.file_mib, load.vocabulary, load.embedding_length) == (20.53, 224, 256)
    (device,) = load.devices
    assert (device.device, device.name, device.pci_id) == ("Vulkan0", "llvmpipe (LLVM 15.0.6, 256 bits)", "")
    assert device.free_mib == 2048
    assert any("no changes needed" in line for line in load.fit)
    assert {(b.device, b.kind, b.by) for b in load.buffers if b.is_host} == {
        ("Vulkan_Host", "output", "llama_context"),
        ("Vulkan_Host", "compute", "sched_reserve"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "vk-baseline",
        "cpu-moe",
        "kv-offload-0",
        "debug-minus1",
        "log-colors-on",
        "two-gpus-sched-spread",
        "lowmem-real-oom",
        "second-model-does-not-fit",
    ],
)
def test_gpu_buffers_sum_up_to_what_the_api_says(name: str) -> None:
    (model,) = json.loads((RECORDINGS / name / "ps.json").read_text())["models"]
    parsed = sum(b.mib for b in last(name).buffers if b.is_gpu)
    assert abs(parsed * 1024**2 - model["size_vram"]) < 64 * 1024


def test_experts_on_the_cpu_show_although_every_layer_counts_as_offloaded() -> None:
    load = last("cpu-moe")
    assert load.offloaded == ((7, 7),)
    assert load.mib("model", cpu=True) == 20.42
    assert load.graph_splits == (19, 14)
    assert any("tensor overrides to CPU" in line for line in load.warnings)


def test_kv_cache_on_the_cpu() -> None:
    load = last("kv-offload-0")
    assert load.offloaded == ((7, 7),)
    assert load.mib("KV", cpu=True) == 12.0
    assert load.graph_splits == (14,)


def test_offloaded_to_no_device_at_all() -> None:
    load = last("device-none")
    assert load.offloaded == ((7, 7),)
    assert load.devices == ()
    assert load.mib("model", cpu=False) == 0
    assert any("VRAM tracking" in line for line in load.warnings)


def test_overflowing_experts() -> None:
    load = last("moe-fit-overflow")
    assert load.overflowing == (("Vulkan0", 18),)
    assert load.file_mib == pytest.approx(2.39 * 1024)
    assert any(line.startswith("cannot meet free memory target") for line in load.fit)


def test_a_draft_model_adds_its_own_lines() -> None:
    (load,) = loads(lines("main-full-draft-cpu"))
    assert load.offloaded == ((7, 7), (0, 7))
    assert load.graph_splits == (2, 65, 1)
    assert load.model_path == TINY
    assert load.context == 4096


def test_two_gpus() -> None:
    load = last("two-gpus-sched-spread")
    assert [device.device for device in load.devices] == ["Vulkan0", "Vulkan1"]
    assert load.graph_splits == (3,)
    assert len(discoveries(lines("two-gpus-sched-spread"))) == 2


def test_parallel_slots_multiply_the_context() -> None:
    load = last("num-parallel-4")
    assert (load.context, load.parallel, load.offloaded) == (32768, 4, ((11, 25),))


def test_without_info_lines_loads_are_cut_at_the_runners_first_line() -> None:
    (load,) = loads(lines("debug-minus1"))
    assert load.complete
    assert (load.port, load.command) == (None, "")
    assert load.model_path == TINY
    assert load.offloaded == ((7, 7),)
    assert discoveries(lines("debug-minus1")) == ()
    assert server_config(lines("debug-minus1")) == {}


def test_a_runner_that_says_nothing_proves_nothing() -> None:
    (load,) = loads(lines("quiet-vulkan"))
    assert load.complete
    assert (load.offloaded, load.buffers, load.graph_splits) == ((), (), ())
    assert any("VRAM tracking" in line for line in load.warnings)


def test_a_failed_load_between_good_ones_and_a_line_cut_by_another() -> None:
    failed, second, third = loads(lines("lowmem-real-oom"))
    assert failed.failed
    assert not failed.complete
    assert any("failed to allocate Vulkan0 buffer of size 1073741824" in line for line in failed.errors)
    assert any(line.startswith("INFO Load failed") for line in failed.errors)
    assert second.complete
    assert third.complete
    assert not second.errors
    assert not third.errors
    assert load_of((failed, second, third), third.model_path, third.port) == third
    assert load_of((failed, second, third), failed.model_path, failed.port) == failed
    assert load_of((failed, second, third), third.model_path) == third
    assert load_of((failed, second, third), "/elsewhere") is None


def test_a_bad_option_fails_each_load() -> None:
    found = loads(lines("kv-cache-type-invalid"))
    assert [load.failed for load in found] == [True, True]
    assert any("Unsupported cache type: foo" in line for line in found[0].errors)


def test_eviction_is_said_before_the_load_that_causes_it() -> None:
    _, second = loads(lines("second-model-does-not-fit"))
    assert any("predicted to exceed available memory" in line for line in second.warnings)


def test_discovery_children_are_no_loads() -> None:
    assert sum("common_params_print_info: build" in line for line in lines("debug2-trace")) > 1
    assert len(loads(lines("debug2-trace"))) == 1


def test_discovery_lines() -> None:
    (gpu,) = discoveries(lines("vk-baseline"))
    assert (gpu.library, gpu.id, gpu.is_cpu, gpu.total_bytes) == ("vulkan", "0", False, 2 * 1024**3)
    assert (gpu.name, gpu.libdirs, gpu.pci_id) == ("llvmpipe (LLVM 15.0.6, 256 bits)", ("ollama", "vulkan"), "")
    (cpu,) = discoveries(lines("debug2-trace"))
    assert (cpu.library, cpu.is_cpu, cpu.libdirs) == ("cpu", True, ("ollama",))


def test_the_last_start_counts() -> None:
    start = ['time=x level=INFO source=a.go:1 msg="server config" env="map[OLLAMA_DEBUG:INFO]"']
    compute = ['level=INFO source=a.go:1 msg="inference compute" id=0 library=CUDA total="8.0 GiB"']
    assert len(discoveries(start + compute + start + compute)) == 1
    assert discoveries(start + compute + start) == ()


def test_server_config() -> None:
    config = server_config(lines("vk-baseline"))
    assert config["OLLAMA_KEEP_ALIVE"] == "5m0s"
    assert config["CUDA_VISIBLE_DEVICES"] == ""
    assert config["OLLAMA_ORIGINS"].startswith("[http://localhost ")
    assert config["OLLAMA_ORIGINS"].endswith("vscode-file://*]")
    assert config["OLLAMA_REMOTES"] == "[ollama.com]"
    assert len(config) == 39


# Ollama 0.20 (Go runner): memory lines in Ollama's own format, figures as reported.
GO_RUNNER = r"""
time=2025-01-15T11:07:40.000Z level=INFO source=server.go:400 msg="starting runner" cmd="/usr/local/bin/ollama runner --ollama-engine --model /usr/share/ollama/.ollama/models/blobs/sha256-aa --port 36629"
time=2025-01-15T11:07:40.500Z level=INFO source=runner.go:1284 msg=load request="{Operation:fit LoraPath:[] Parallel:1 BatchSize:1024 FlashAttention:Enabled KvSize:32768 KvCacheType:q8_0 GPULayers:49[] UseMmap:false}"
time=2025-01-15T11:07:40.600Z level=INFO source=device.go:240 msg="model weights" device=CUDA0 size="40.0 GiB"
time=2025-01-15T11:07:41.000Z level=INFO source=runner.go:1284 msg=load request="{Operation:commit LoraPath:[] Parallel:1 BatchSize:1024 FlashAttention:Enabled KvSize:32768 KvCacheType:q8_0 GPULayers:20[ID:GPU-00000001-aaaa Layers:20(28..47)] UseMmap:false}"
time=2025-01-15T11:07:41.137Z level=INFO source=ggml.go:494 msg="offloaded 20/49 layers to GPU"
time=2025-01-15T11:07:41.274Z level=INFO source=device.go:240 msg="model weights" device=CUDA0 size="19.9 GiB"
time=2025-01-15T11:07:41.411Z level=INFO source=device.go:245 msg="model weights" device=CPU size="28.3 GiB"
time=2025-01-15T11:07:41.548Z level=INFO source=device.go:251 msg="kv cache" device=CUDA0 size="955.2 MiB"
time=2025-01-15T11:07:41.685Z level=INFO source=device.go:256 msg="kv cache" device=CPU size="1.3 GiB"
time=2025-01-15T11:07:41.822Z level=INFO source=device.go:262 msg="compute graph" device=CUDA0 size="918.1 MiB"
time=2025-01-15T11:07:52.096Z level=INFO source=server.go:1289 msg="llama runner started in 12.46 seconds"
"""  # noqa: E501


def test_go_runner_lines_of_0_20() -> None:
    (load,) = loads(GO_RUNNER.split("\n"))
    assert (load.generation, load.port, load.complete) == ("runner", 36629, True)
    assert load.offloaded == ((20, 49),)
    assert load.mib("model", cpu=False) == pytest.approx(19.9 * 1024, abs=0.1)
    assert load.mib("KV", cpu=True) == pytest.approx(1.3 * 1024, abs=0.1)
    assert (load.context, load.parallel, load.flash_attention) == (32768, 1, True)


def test_journal_prefixes_and_a_start_that_was_not_recorded() -> None:
    # Ollama 0.23.0, journalctl's default output
    text = [
        "Jan 15 11:29:28 gpuhost ollama[1234]: time=2025-01-15T11:29:28.000Z level=INFO source=ggml.go:502 "
        'msg="offloaded 0/31 layers to GPU"',
        "Jan 15 11:29:28 gpuhost ollama[1234]: time=2025-01-15T11:29:28.137Z level=INFO source=device.go:245 "
        'msg="model weights" device=CPU size="17.3 GiB"',
    ]
    (load,) = loads(text)
    assert (load.seen_start, load.complete, load.offloaded) == (False, False, ((0, 31),))
    # llama.cpp of mid 2024 (Ollama 0.1.2x to 0.5.x)
    text = [
        "Jan 15 11:33:06 gpuhost ollama[1234]: llm_load_tensors: offloaded 81/81 layers to GPU",
        "Jan 15 11:33:06 gpuhost ollama[1234]: llm_load_tensors:        CPU buffer size =   389.81 MiB",
        "Jan 15 11:33:06 gpuhost ollama[1234]: llm_load_tensors:      CUDA1 buffer size = 14417.38 MiB",
    ]
    (load,) = loads(text)
    assert [(b.device, b.kind, b.mib) for b in load.buffers] == [("CPU", "model", 389.81), ("CUDA1", "model", 14417.38)]


def test_lines_of_other_versions() -> None:
    # 0.6.3
    (gpu,) = discoveries(
        [
            'time=2025-01-15T12:21:19.000Z level=INFO source=types.go:130 msg="inference compute" '
            'id=GPU-00000001-aaaa library=cuda variant=v12 compute=9.0 driver=12.4 name="NVIDIA H100 80GB HBM3" '
            'total="79.1 GiB" available="79.2 GiB"'
        ]
    )
    assert (gpu.library, gpu.name, gpu.driver, gpu.libdirs) == ("cuda", "NVIDIA H100 80GB HBM3", "12.4", ())
    # before 0.7.0
    config = server_config(
        ['2024/11/17 17:53:44 routes.go:1189: INFO server config env="map[OLLAMA_DEBUG:false OLLAMA_HOST:http://x:1]"']
    )
    assert config == {"OLLAMA_DEBUG": "false", "OLLAMA_HOST": "http://x:1"}
    # 0.1.20
    (entry,) = records(["2024/01/15 10:09:09 gpu.go:138: CUDA GPU is too old. Compute Capability detected: 5.2"])
    assert entry.message == "CUDA GPU is too old. Compute Capability detected: 5.2"
    # 0.9.1: two writers in one line
    (entry,) = records(["failed to get device context 800time=2025-01-15T07:00:00Z level=WARN source=g.go:1 msg=oops"])
    assert (entry.level, entry.message) == ("WARN", "oops")


def test_quoting_as_go_writes_it() -> None:
    (entry,) = records([r'level=WARN msg="say \"hi\"\n\x41\u00e9\\" "model layers"=27 empty= key=Å'])
    assert entry.message == 'say "hi"\nAé\\'
    assert entry.attrs == {"model layers": "27", "empty": "", "key": "Å"}


def start(model: str, port: int) -> str:
    return (
        f'level=INFO msg="starting llama-server" cmd="/usr/local/lib/ollama/llama-server --model {model} --port {port}"'
    )


BUILD = "cmn  common_param: common_params_print_info: build 0 (4df29be4f) with GNU 12.2.0 for Linux x86_64"
READY = "srv  llama_server: model loaded"
OFFLOADED = "load_tensors: offloaded 7/7 layers to GPU"


def test_two_loads_at_once_prove_nothing_line_by_line() -> None:
    both = loads([start("/a", 1), BUILD, start("/b", 2), BUILD, OFFLOADED, OFFLOADED, READY, READY])
    assert [(load.model_path, load.interleaved, load.complete) for load in both] == [
        ("/a", True, True),
        ("/b", True, True),
    ]
    after = loads([start("/a", 1), BUILD, READY, start("/b", 2), BUILD, OFFLOADED, READY])
    assert [load.interleaved for load in after] == [False, False]


def test_left_out_lines_and_a_restart_end_a_load() -> None:
    first, second = loads([start("/a", 1), BUILD, GAP, start("/b", 2), BUILD, OFFLOADED, READY])
    assert not first.complete
    assert not second.interleaved
    first, second = loads([start("/a", 1), 'level=INFO msg="server config" env="map[]"', start("/b", 2), READY])
    assert not first.complete
    assert not second.interleaved


def test_dropped_lines_mark_the_load_that_may_have_lost_them() -> None:
    dropped = "Suppressed 25 messages from ollama.service"
    assert suppressed(dropped) == 25
    assert [load.suppressed for load in loads([start("/a", 1), READY, start("/b", 2), READY, dropped])] == [False, True]


def test_many_repeated_lines_stay_bounded() -> None:
    (load,) = loads([start("/a", 1)] + ["CUDA error: x"] * 5000)
    assert len(load.errors) <= 200


NASTY = st.lists(
    st.one_of(
        st.text(max_size=200),
        st.sampled_from(
            [BUILD, READY, OFFLOADED, GAP, start("/a", 1), "level=INFO msg=", 'level=INFO msg="x', "graph splits = "]
        ),
        st.text(alphabet='="\\ level=INFOmsg[]:{}()-/0123456789CPU', max_size=300),
    ),
    max_size=40,
)


@given(NASTY)
@settings(max_examples=150, deadline=None)
def test_any_text_in_no_exception_out(text: list[str]) -> None:
    for load in loads(text):
        load.mib("model", cpu=True)
    discoveries(text)
    server_config(text)
    records(text)


@given(st.sampled_from(["vk-baseline", "moe-fit-overflow", "main-full-draft-cpu"]), st.data())
@settings(max_examples=40, deadline=None)
def test_a_recording_cut_anywhere(name: str, data: st.DataObject) -> None:
    text = "\n".join(lines(name))
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))
    for load in loads(text[begin:end].split("\n")):
        assert load.offloaded in ((), ((7, 7),), ((25, 25),), ((7, 7), (0, 7)), ((0, 7),))


@pytest.mark.parametrize(
    "line",
    [
        "a" * 1_000_000,
        '="' * 100_000,
        "x=" + '\\"' * 100_000,
        "common_params_fit_impl:   - " + "X (): " * 50_000,
        "using device X (" + ") (" * 50_000,
        "buffer size " + "a " * 50_000,
        'level=INFO msg="server config" env="map[' + "A:[" * 50_000,
        "\x1b[" * 100_000,
        "1:2:3 [" * 30_000,
    ],
)
def test_hostile_lines_take_bounded_time(line: str) -> None:
    begin = time.perf_counter()
    loads([line])
    discoveries([line])
    server_config([line])
    assert time.perf_counter() - begin < 0.5
