"""Variables that a release of Ollama would ignore, or read as something else, are errors before any connection."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ongpu.spec import ollama_variables
from ongpu.spec.model import Ollama

OLD, NEW = "0.24.0", "0.32.15"


def problem(release: str, env: dict[str, Any], **more: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Ollama.model_validate({"release": release, "env": env, **more})
    (error,) = caught.value.errors()
    assert "\n" not in error["msg"]
    return error["msg"]


def fine(release: str, env: dict[str, Any]) -> dict[str, str]:
    return Ollama.model_validate({"release": release, "env": env}).env


@pytest.mark.parametrize(
    ("release", "name", "value", "says"),
    [
        (NEW, "OLLAMA_NEW_ENGINE", "1", "Ollama removed it in 0.30.0"),
        ("0.13.5", "OLLAMA_NEW_ESTIMATES", "1", "Ollama removed it in 0.11.11"),
        ("0.5.7", "OLLAMA_NEW_ENGINE", "1", "Ollama reads it since 0.5.12"),
        ("0.11.4", "OLLAMA_NEW_ESTIMATES", "1", "Ollama reads it since 0.11.5"),
        (NEW, "NVIDIA_DRIVER_CAPABILITIES", "compute", "only containers read it"),
        (NEW, "OLLAMA_MAX_LOADED_MODELS", 1 << 64, "is more than Ollama can count"),
        (NEW, "OLLAMA_NUM_PARALLEL", "9" * 5000, "is more than Ollama can count"),
        (NEW, "OLLAMA_CONTEXT_LENGTH", 3, "Ollama would make 4 of 3"),
        (NEW, "LLAMA_ARG_FIT", "maybe", "is not on or off"),
        (NEW, "JETSON_JETPACK", "R36", "is not a JetPack version such as 6.2"),
        (NEW, "HSA_OVERRIDE_GFX_VERSION", "navi", "is not a version such as 10.3.0"),
        (OLD, "OLLAMA_IGPU_ENABLE", "1", "Ollama reads it since 0.30.0"),
        ("0.12.6", "OLLAMA_VULKAN", "0", "Ollama reads it since 0.12.11"),
        ("0.5.7", "OLLAMA_CONTEXT_LENGTH", "4096", "Ollama reads it since 0.5.13"),
        (NEW, "OLLAMA_GPU_OVERHEAD", 536870912, "use LLAMA_ARG_FIT_TARGET: 1536"),
        ("0.33.0-rc2", "OLLAMA_GPU_OVERHEAD", 0, "use LLAMA_ARG_FIT_TARGET: 1024"),
        (OLD, "LLAMA_ARG_FIT_TARGET", "2048", "use OLLAMA_GPU_OVERHEAD (bytes)"),
        (OLD, "LLAMA_ARG_THREADS", "4", "Ollama runs llama-server since 0.30.0"),
        (NEW, "LLAMA_ARG_CTX_SIZE", "4096", "use `context` of the models"),
        (NEW, "LLAMA_ARG_FIT_TARGET", "2GiB", "is not MiB to leave free"),
        (NEW, "OLLAMA_NUM_GPU", "99", "set num_gpu in the model"),
        (NEW, "OLLAMA_AUTH", True, "only clients read it"),
        (NEW, "NVIDIA_VISIBLE_DEVICES", "all", "use `ollama.gpus`"),
        (NEW, "OLLAMA_LLM_LIBRARY", "cuda_v11", "use one of cuda_v12, cuda_v13"),
        (NEW, "OLLAMA_LLM_LIBRARY", "cpu_avx2", "every model would run without CUDA"),
        ("0.11.10", "OLLAMA_LLM_LIBRARY", "cuda_v13", "use one of cuda_v12, cuda_jetpack5"),
        (OLD, "OLLAMA_KV_CACHE_TYPE", "q5_0", "0.24.0 ignores 'q5_0'; use one of f16, q8_0, q4_0"),
        ("0.12.0", "OLLAMA_KV_CACHE_TYPE", "q8_0", "without OLLAMA_FLASH_ATTENTION: true"),
        (NEW, "OLLAMA_KV_CACHE_TYPE", "q9_0", "fails every load"),
        (NEW, "OLLAMA_FLASH_ATTENTION", "off", "would mean true to Ollama"),
        (NEW, "OLLAMA_MAX_QUEUE", 0, "refuses requests at random"),
        (NEW, "OLLAMA_DEBUG", -1, "hide the lines that name the GPUs"),
        (NEW, "OLLAMA_KEEP_ALIVE", " 5m", "takes spaces and quotes around ' 5m' away"),
        (NEW, "OLLAMA_ORIGINS", '"*"', "takes spaces and quotes"),
        (NEW, "MOTD", "a\nb", "MOTD holds a line break"),
        (NEW, "MOTD", "a\x1bb", "MOTD holds the character U+001B"),
        (NEW, "MOTD", "a\ufdd0", "MOTD holds the character U+FDD0"),
    ],
)
def test_what_would_not_do_what_it_says_is_an_error(release: str, name: str, value: Any, says: str) -> None:
    message = problem(release, {name: value})
    assert says in message
    assert name in message


@pytest.mark.parametrize(
    ("release", "env"),
    [
        (OLD, {"OLLAMA_NEW_ENGINE": True, "OLLAMA_GPU_OVERHEAD": 1, "OLLAMA_KV_CACHE_TYPE": "q8_0"}),
        (NEW, {"LLAMA_ARG_FIT_TARGET": "1024,2048", "OLLAMA_KV_CACHE_TYPE": "iq4_nl", "OLLAMA_DEBUG": 2}),
        (NEW, {"OLLAMA_LLM_LIBRARY": "cuda_v12", "OLLAMA_KEEP_ALIVE": -1, "HTTPS_PROXY": " spaced "}),
        ("0.12.0", {"OLLAMA_KV_CACHE_TYPE": "q8_0", "OLLAMA_FLASH_ATTENTION": True}),
        ("0.33.0-rc2", {"OLLAMA_GO_TEMPLATE": False, "OLLAMA_IGPU_ENABLE": True}),
    ],
)
def test_what_the_release_reads_is_accepted(release: str, env: dict[str, Any]) -> None:
    assert fine(release, env).keys() == env.keys()


def test_a_cache_that_needs_flash_attention_is_not_declared_without_it() -> None:
    message = problem(NEW, {"OLLAMA_KV_CACHE_TYPE": "Q8_0", "OLLAMA_FLASH_ATTENTION": False})
    assert "the KV cache type q8_0 needs flash attention, but OLLAMA_FLASH_ATTENTION is false" in message


@pytest.mark.parametrize("listen", ["0.0.0.0:11434", "[::]:11434", "*:11434", "0:11434"])
def test_an_address_that_takes_in_everybody_must_be_meant(listen: str) -> None:
    assert "say `open: true` beside it" in problem(NEW, {}, listen=listen)
    assert Ollama(release=NEW, listen=listen, open=True).listen == listen


@pytest.mark.parametrize("listen", ["127.0.0.1:11434", "10.0.0.7:11434", "[::1]:80", "gpu01:11434", "[fd00::]:80"])
def test_one_address_needs_no_word_about_it(listen: str) -> None:
    assert Ollama(release=NEW, listen=listen).listen == listen


versions = st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(0, 20)).map(lambda v: ".".join(map(str, v)))
names = st.sampled_from(
    sorted({*ollama_variables.SINCE, *ollama_variables.GONE, "OLLAMA_LLM_LIBRARY", "LLAMA_ARG_FIT_TARGET"})
)


@settings(max_examples=150, deadline=None)
@given(release=versions, env=st.dictionaries(names, st.text(max_size=12), max_size=4))
def test_any_variable_is_accepted_or_explained_in_one_sentence(release: str, env: dict[str, str]) -> None:
    problems, read = [], {}
    try:
        read = fine(release, env)
    except ValidationError as error:
        problems = [one["msg"] for one in error.errors()]
    assert all(len(message) > 20 and "\n" not in message for message in problems)
    at = ollama_variables.numbers(release)
    assert all(ollama_variables.SINCE.get(name, ()) <= at for name in read)
    assert all(at < ollama_variables.GONE[name] for name in read if name in ollama_variables.GONE)
