"""The runner's environment and command line: what objects, what is harmless, what is not known."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.proof.case import Asked, Shape
from ongpu.proof.witness import Statement
from ongpu.proof.witnesses.environment import WITNESS, in_environment, on_command_line
from tests.proof.scenes import recorded

SCENE = recorded("vk-baseline")


def asked(layers: int | None) -> Asked:
    return Asked(outcome="resident", blob=SCENE.asked.blob, shape=Shape(layers=layers))


def says(environ: dict[str, str], *flags: str, layers: int | None = 33) -> Statement:
    scene = SCENE.but(environ=Known(environ, "/proc/4711/environ"), flags=flags, asked=asked(layers))
    return WITNESS.testify(scene.case())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LLAMA_ARG_CPU_MOE", "1"),
        ("LLAMA_ARG_CPU_MOE", "on"),
        ("LLAMA_ARG_N_CPU_MOE", "4"),
        ("LLAMA_ARG_OVERRIDE_TENSOR", "exps=CPU"),
        ("LLAMA_ARG_OVERRIDE_TENSOR", "a=CUDA0,b=cpu"),
        ("LLAMA_ARG_KV_OFFLOAD", "0"),
        ("LLAMA_ARG_KV_OFFLOAD", "off"),
        ("LLAMA_ARG_NO_KV_OFFLOAD", "0"),
        ("LLAMA_ARG_DEVICE", "none"),
        ("LLAMA_ARG_N_GPU_LAYERS", "0"),
        ("LLAMA_ARG_N_GPU_LAYERS", "32"),
        ("LLAMA_ARG_N_GPU_LAYERS_DRAFT", "0"),
        ("GGML_CUDA_ENABLE_UNIFIED_MEMORY", "1"),
        ("GGML_VK_PREFER_HOST_MEMORY", "1"),
        ("CUDA_VISIBLE_DEVICES", ""),
        ("CUDA_VISIBLE_DEVICES", "-1"),
        ("OLLAMA_LLM_LIBRARY", "cpu_avx2"),
    ],
)
def test_variables_that_object(name: str, value: str) -> None:
    said, why, evidence = says({"PATH": "/usr/bin", name: value})
    assert said == "no"
    assert why == f"{name}={value} in the runner's environment"
    assert [(one.source, one.line) for one in evidence] == [("/proc/4711/environ", f"{name}={value}")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LLAMA_ARG_CPU_MOE", "0"),
        ("LLAMA_ARG_N_CPU_MOE", "0"),
        ("LLAMA_ARG_OVERRIDE_TENSOR", "blk.1=CUDA1"),
        ("LLAMA_ARG_KV_OFFLOAD", "1"),
        ("LLAMA_ARG_DEVICE", "CUDA0"),
        ("LLAMA_ARG_N_GPU_LAYERS", "33"),
        ("LLAMA_ARG_N_GPU_LAYERS", "999"),
        ("LLAMA_ARG_N_GPU_LAYERS", "-1"),
        ("LLAMA_ARG_N_GPU_LAYERS", "auto"),
        ("LLAMA_ARG_FIT_TARGET", "512"),
        ("LLAMA_ARG_THREADS_HTTP", "4"),
        ("CUDA_VISIBLE_DEVICES", "GPU-1,GPU-2"),
        ("CUDA_VISIBLE_DEVICES", "0"),
        ("OLLAMA_LLM_LIBRARY", "cuda_v13"),
    ],
)
def test_variables_that_do_not(name: str, value: str) -> None:
    assert says({"PATH": "/usr/bin", name: value})[0] == "yes"


def test_a_variable_of_the_runner_that_is_not_known_makes_it_silent() -> None:
    said, why, _ = says({"LLAMA_ARG_SOMETHING_NEW": "1"})
    assert (said, why) == ("silent", "LLAMA_ARG_SOMETHING_NEW: what this does to the placement is not known")


@pytest.mark.parametrize(
    "flags",
    [
        ("--cpu-moe",),
        ("-cmoe",),
        ("--n-cpu-moe", "3"),
        ("-ot", "exps=CPU"),
        ("--override-tensor=exps=CPU",),
        ("-nkvo",),
        ("--no-kv-offload",),
        ("-ngl", "0"),
        ("-ngl", "32"),
        ("--n-gpu-layers=12",),
        ("-ngld", "0"),
        ("--device", "none"),
        ("--no-mmproj-offload",),
    ],
)
def test_options_that_object(flags: tuple[str, ...]) -> None:
    said, why, evidence = says({}, *flags)
    assert said == "no"
    assert why.endswith("in the runner's command line")
    assert evidence[0].source == "/proc/4711/cmdline"


@pytest.mark.parametrize(
    "flags", [("-ngl", "999"), ("-ngl", "33"), ("-ngld", "12"), ("--device", "CUDA0"), ("-ot", "x=CUDA0"), ("-ngl",)]
)
def test_options_that_do_not(flags: tuple[str, ...]) -> None:
    assert says({}, *flags)[0] == "yes"


def test_a_number_of_layers_means_nothing_without_the_models() -> None:
    assert says({}, "-ngl", "20", layers=None)[0] == "silent"
    assert says({"LLAMA_ARG_N_GPU_LAYERS": "20"}, layers=None)[0] == "silent"
    assert says({"LLAMA_ARG_N_GPU_LAYERS": "0"}, layers=None)[0] == "no"


def test_the_command_line_objects_where_the_environment_may_not_be_read() -> None:
    closed = SCENE.but(environ=Unreadable("/proc/4711/environ: denied", "run as root"))
    assert WITNESS.testify(closed.case())[:2] == ("silent", "/proc/4711/environ: denied; to allow it: run as root")
    assert WITNESS.testify(closed.but(flags=("--cpu-moe",)).case())[0] == "no"
    assert WITNESS.testify(closed.but(environ=Absent("gone")).case())[0] == "silent"


@settings(deadline=None)  # the machine may be busy
@given(st.dictionaries(st.text(), st.text()), st.none() | st.integers(0, 200))
def test_any_environment(environ: dict[str, str], layers: int | None) -> None:
    assert all("=" in line for line in in_environment(environ, layers))


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.text() | st.sampled_from(["-ngl", "--device", "-ot", "--n-cpu-moe="])), st.none() | st.just(33))
def test_any_command_line(words: list[str], layers: int | None) -> None:
    list(on_command_line(tuple(words), layers))
