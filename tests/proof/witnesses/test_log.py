"""The log: what a load must show, and what of it may be missing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.host.ollama_log import GAP
from ongpu.host.reading import Absent
from ongpu.proof.case import Asked, Shape
from ongpu.proof.witness import Statement
from ongpu.proof.witnesses.log import WITNESS
from tests.proof.scenes import Scene, recorded

SCENE = recorded("vk-baseline")
EMBEDDING = 224 * 256 * 2


def says(scene: Scene) -> Statement:
    return WITNESS.testify(scene.case())


def lines(scene: Scene, *, old: str = "", new: str = "", keep: int | None = None) -> Scene:
    return scene.but(lines=tuple(line.replace(old, new) if old else line for line in scene.lines[:keep]))


def shaped(scene: Scene, shape: Shape) -> Scene:
    return scene.but(asked=Asked(outcome="resident", blob=scene.asked.blob, shape=shape))


def test_it_says_what_it_saw() -> None:
    said, why, evidence = says(SCENE)
    assert (said, why) == ("yes", "7 of 7 layers and all buffers (40 MiB) on CUDA0")
    assert evidence[0].line == "offloaded 7/7 layers to GPU"
    assert any("CUDA0 model buffer size = 20.42 MiB" in one.line for one in evidence)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("load_tensors: offloaded", "no buffers of its load"),
        ("CUDA0 model buffer size", "no weights on any GPU"),
        ("compute buffer size", "no compute buffer"),
        ("llama_server: model loaded", "the end of its load"),
        ("common_params_print_info: build", ""),  # Ollama's own line marks the beginning, too
    ],
)
def test_a_line_that_is_missing(line: str, words: str) -> None:
    cut = SCENE.but(lines=tuple(one for one in SCENE.lines if line not in one and "started in" not in one))
    said, why, _ = says(cut)
    assert words in why
    assert (said == "yes") == (not words)


def test_lines_that_journald_dropped() -> None:
    dropped = (*SCENE.lines, "Suppressed 25 messages from ollama.service")
    assert says(SCENE.but(lines=dropped))[:2] == ("silent", "journald dropped lines of its load (rate limit)")
    moe = recorded("cpu-moe")
    assert says(moe.but(lines=(*moe.lines, "Suppressed 25 messages from ollama.service")))[0] == "no"


def test_a_load_whose_beginning_is_not_there() -> None:
    begin = next(number for number, line in enumerate(SCENE.lines) if "using device" in line)
    cut = SCENE.but(lines=(GAP, *SCENE.lines[begin:]))
    assert says(cut)[0] == "silent"


def test_a_log_without_this_load() -> None:
    assert says(SCENE.but(lines=()))[:2] == ("silent", "the log does not show its load")
    assert says(SCENE.but(journal=Absent("there is no ollama.service")))[:2] == ("silent", "there is no ollama.service")


def test_two_loads_at_once_cannot_be_told_apart() -> None:
    start = next(number for number, line in enumerate(SCENE.lines) if 'msg="starting llama-server"' in line)
    twin = SCENE.lines[start].replace(SCENE.path, "/elsewhere/sha256-ffff")
    mixed = SCENE.but(lines=(*SCENE.lines[: start + 1], twin, *SCENE.lines[start + 1 :]))
    said, why, _ = says(mixed)
    assert said == "silent"
    assert "at the same time" in why


@pytest.mark.parametrize(
    ("mapped", "input_bytes", "said"),
    [
        ("0.11", EMBEDDING, "yes"),
        ("0.20", EMBEDDING, "no"),  # more than the embedding lies on the CPU
        ("0.20", None, "yes"),  # its size is not known: F32 would be 0.22 MiB
        ("0.30", None, "no"),
    ],
)
def test_weights_beyond_the_token_embedding(mapped: str, input_bytes: int | None, said: str) -> None:
    tensors = 1 if input_bytes else 0
    scene = shaped(SCENE, Shape(input_bytes=input_bytes, input_tensors=tensors, layers=7))
    changed = lines(
        scene, old="CPU_Mapped model buffer size =     0.11", new=f"CPU_Mapped model buffer size = {mapped}"
    )
    assert changed.lines != scene.lines or mapped == "0.11"
    assert says(changed)[0] == said


def test_a_mapped_buffer_with_input_tensors_at_both_ends_of_the_file() -> None:
    scene = shaped(SCENE, Shape(input_bytes=EMBEDDING, input_tensors=2, layers=7))
    wide = lines(scene, old="CPU_Mapped model buffer size =     0.11", new="CPU_Mapped model buffer size = 9.00")
    assert says(wide)[0] == "silent"
    split = lines(wide, old="graph splits = 2", new="graph splits = 9")
    assert says(split)[0] == "no"


GO = """
time=2025-01-15T11:07:40.000Z level=INFO source=server.go:429 msg="starting runner" cmd="/usr/local/bin/ollama runner \
--ollama-engine --model /m/blobs/sha256-aa --port 36629"
time=2025-01-15T11:07:41.000Z level=INFO source=runner.go:1284 msg=load request="{Operation:commit Parallel:1 \
FlashAttention:Enabled KvSize:8192 GPULayers:33[ID:GPU-1 Layers:33(0..32)] UseMmap:false}"
time=2025-01-15T11:07:41.137Z level=INFO source=ggml.go:494 msg="offloaded 33/33 layers to GPU"
time=2025-01-15T11:07:41.274Z level=INFO source=device.go:240 msg="model weights" device=CUDA0 size="4.3 GiB"
time=2025-01-15T11:07:41.411Z level=INFO source=device.go:245 msg="model weights" device=CPU size="281.8 MiB"
time=2025-01-15T11:07:41.548Z level=INFO source=device.go:251 msg="kv cache" device=CUDA0 size="1.0 GiB"
time=2025-01-15T11:07:41.822Z level=INFO source=device.go:262 msg="compute graph" device=CUDA0 size="258.5 MiB"
time=2025-01-15T11:07:41.959Z level=INFO source=device.go:267 msg="compute graph" device=CPU size="8.0 MiB"
time=2025-01-15T11:07:49.000Z level=INFO source=server.go:1289 msg="llama runner started in 8.46 seconds"
"""
LLAMA_INPUT = 4096 * 128256 * 9 // 16


@pytest.mark.parametrize(
    ("shape", "old", "new", "said"),
    [
        (Shape(input_bytes=LLAMA_INPUT), "", "", "yes"),
        (Shape(), "", "", "silent"),  # those versions do not print what tells the embedding's size
        (Shape(input_bytes=LLAMA_INPUT), "offloaded 33/33", "offloaded 32/33", "no"),
        (Shape(input_bytes=LLAMA_INPUT), "281.8 MiB", "520.0 MiB", "no"),
        (Shape(input_bytes=LLAMA_INPUT), 'size="8.0 MiB"', 'size="80.0 MiB"', "no"),
        (Shape(input_bytes=LLAMA_INPUT), "CUDA0", "ROCm0", "no"),
    ],
)
def test_the_go_runners_of_0_12_to_0_24(shape: Shape, old: str, new: str, said: str) -> None:
    log = GO.replace(old, new) if old else GO
    scene = SCENE.but(
        lines=tuple(log.strip().split("\n")),
        path="/m/blobs/sha256-aa",
        port=36629,
        asked=Asked(outcome="resident", blob="sha256-aa", shape=shape),
    )
    assert says(scene)[0] == said


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.text()), st.integers(0, 200))
def test_any_lines(noise: list[str], at: int) -> None:
    said = says(SCENE.but(lines=(*SCENE.lines[:at], *noise)))[0]
    assert said in ("yes", "no", "silent")


@settings(deadline=None)  # the machine may be busy
@given(st.sets(st.integers(0, len(SCENE.lines) - 1)))
def test_lost_lines_of_a_bad_load_never_make_it_good(lost: set[int]) -> None:
    scene = recorded("n-gpu-layers-env")
    kept = tuple(line for number, line in enumerate(scene.lines) if number not in lost or "offloaded" in line)
    assert says(scene.but(lines=kept))[0] != "yes"
