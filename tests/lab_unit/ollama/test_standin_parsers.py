"""Whatever comes in: no parser of the stand-in ends in another way than it says."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from standin_models import tiny

from ongpu_lab.ollama.standin import arguments, envconfig, gguf, gojson, names, requests
from ongpu_lab.ollama.standin.driver import Gpu, visible_to
from ongpu_lab.ollama.standin.loadlog import LoadLog
from ongpu_lab.ollama.standin.requests import BadRequest

_VALUES = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)))


def _read(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blob"
        path.write_bytes(data)
        with contextlib.suppress(gguf.NotGguf):
            gguf.read(path)


@given(st.binary())
def test_any_file(data: bytes) -> None:
    _read(data)
    _read(b"GGUF" + data)


@given(st.integers(0, 4000), st.integers(0, 255))
def test_damaged_header(position: int, byte: int) -> None:
    blob = bytearray(tiny().blob)
    blob[position % len(blob)] = byte
    _read(bytes(blob))
    _read(bytes(blob[:position]))


@given(st.lists(st.text()))
def test_any_log(lines: list[str]) -> None:
    log = LoadLog()
    for line in lines:
        log.line(line)
    size, vram = log.sizes(1000)
    assert vram >= 0
    assert size >= 0


@given(st.text())
def test_any_name(text: str) -> None:
    name = names.parse(text)
    assert name is None or ".." not in name.path().split("/")


@given(st.text())
def test_any_duration(text: str) -> None:
    with contextlib.suppress(ValueError):
        gojson.parse_duration(text)


@given(st.binary())
def test_any_body(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        requests.decode(body, "GenerateRequest", {"model": str, "options": dict})


@given(_VALUES)
def test_any_environment(value: str) -> None:
    settings = {key: value for key in os.environ | {"OLLAMA_HOST": ""} if key.startswith("OLLAMA_")}
    settings |= dict.fromkeys(("OLLAMA_KEEP_ALIVE", "OLLAMA_LOAD_TIMEOUT", "OLLAMA_DEBUG", "OLLAMA_ORIGINS"), value)
    settings |= dict.fromkeys(("OLLAMA_NUM_PARALLEL", "OLLAMA_GPU_OVERHEAD", "OLLAMA_FLASH_ATTENTION"), value)
    with mock.patch.dict(os.environ, settings):
        assert envconfig.as_map()


@given(_VALUES)
def test_any_runner_variable(value: str) -> None:
    names_ = ("CPU_MOE", "N_CPU_MOE", "OVERRIDE_TENSOR", "KV_OFFLOAD", "DEVICE", "N_GPU_LAYERS", "FIT", "FIT_TARGET")
    settings = {f"LLAMA_ARG_{name}": value for name in names_}
    with mock.patch.dict(os.environ, settings), contextlib.suppress(arguments.BadArgument):
        arguments.parse(["--model", "m", "-c", "4096"]).settings(gpu=True)


@given(_VALUES)
def test_any_visible_devices(value: str) -> None:
    gpus = tuple(Gpu(n, "card", f"GPU-{n}", f"0000:0{n}:00.0", (8, 9), 1, 1) for n in range(3))
    assert set(visible_to(gpus, value)) <= set(gpus)
