"""ongpu fit: exit codes, sources, both formats."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ongpu.cli._fit_sources import read_model
from ongpu.cli.fit import command
from ongpu.errors import ConfigError, Exit, HostError
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.settings import MIB
from ongpu.fit.target import Asked, flash, number, settings_of, target_of
from ongpu.host import codec
from ongpu.host.gpu import GpuProcess
from ongpu.host.reading import Known
from ongpu.host.snapshot import HostSnapshot
from tests.fit.planner import RECORDINGS, model_info
from tests.proof import scenes


def fit(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(command, [str(word) for word in words], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.return_value, done.output


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    path = tmp_path / "llama.json"
    path.write_text(json.dumps(model_info("llama3.1-8b.Q4_K_M")))
    return path


def as_json(*words: object) -> tuple[int, list[dict[str, Any]]]:
    code, output = fit(*words, "--format", "json")
    return code, json.loads(output)["models"]


def test_fits(llama: Path) -> None:
    code, (model,) = as_json("llama3.1:8b", "--model-info", llama, "--gpu", 8000, "--num-ctx", 8192, "--batch", 512)
    assert code == Exit.OK
    assert model["fits"] is True
    assert (model["layers_on_gpu"], model["layers_total"]) == (33, 33)
    device = model["devices"][0]
    assert device["weights_mib"] == pytest.approx(4403.4924, abs=0.01)
    assert device["kv_mib"] == 1024
    assert device["compute_mib"] == pytest.approx(116.01, abs=0.05)
    assert model["advice"] == []


def test_does_not_fit(llama: Path) -> None:
    code, (model,) = as_json("l", "--model-info", llama, "--gpu", 5000, "--num-ctx", 8192)
    assert code == Exit.FINDINGS
    assert model["fits"] is False
    assert 0 < model["layers_on_gpu"] < 33
    assert model["advice"]


def test_the_table_says_the_same(llama: Path) -> None:
    code, output = fit("llama3.1:8b", "--model-info", llama, "--gpu", 8000, "--num-ctx", 8192)
    assert code == Exit.OK
    assert output.startswith("llama3.1:8b fits: 33 of 33 layers on the GPU\n")
    code, output = fit("a\x1b[2J", "--model-info", llama, "--gpu", 5000, "--num-ctx", 8192)
    assert code == Exit.FINDINGS
    assert "\x1b" not in output
    assert "would fit: " in output


def test_the_second_model_sees_what_the_first_left(llama: Path) -> None:
    words = ("--gpu", 12_000, "--num-ctx", 8192)
    code, (first, second) = as_json("a", "b", "--model-info", llama, "--model-info", llama, *words)
    assert code == Exit.FINDINGS
    assert first["fits"]
    assert not second["fits"]
    left = first["devices"][0]["free_mib"] - first["devices"][0]["total_mib"]
    assert second["devices"][0]["free_mib"] == pytest.approx(left, abs=0.01)


def test_a_gguf_file_is_enough() -> None:
    code, (model,) = as_json(RECORDINGS / "qwen3moe.gguf", "--gpu", 2000)
    assert code == Exit.OK
    assert (model["name"], model["architecture"]) == ("qwen3moe.gguf", "qwen3moe")
    assert model["largest_num_ctx"] == 4096


def test_too_little_known_is_unknown(tmp_path: Path) -> None:
    for content in (b"", b"GGUF", b"[]", b"{", b'{"model_info": {"general.architecture": "llama"}}', b"\xff" * 9):
        path = tmp_path / "m"
        path.write_bytes(content)
        with pytest.raises(InsufficientFacts) as caught:
            fit(path, "--gpu", 8000)
        assert caught.value.exit_code == Exit.UNKNOWN
        assert "\n" not in str(caught.value)
    with pytest.raises(InsufficientFacts, match="--model-info"):
        fit("no such/file at all", "--gpu", 8000)
    for missing in ("./llama", "/models/llama", "llama.gguf"):
        with pytest.raises(ConfigError, match="there is no file"):
            fit(missing, "--gpu", 8000)


def test_usage(llama: Path) -> None:
    with pytest.raises(click.UsageError, match="which GPUs"):
        fit(llama)
    with pytest.raises(click.UsageError, match="which GPUs"):
        fit(llama, "--gpu", 1, "--host", "h")
    with pytest.raises(click.UsageError, match="as many --model-info"):
        fit("a", "b", "--gpu", 1, "--model-info", llama)


def test_environment_as_ollama_reads_it() -> None:
    assert flash({}) == "auto"
    assert flash({"OLLAMA_FLASH_ATTENTION": "0"}) == "off"
    assert flash({"OLLAMA_FLASH_ATTENTION": "true"}) == "on"
    assert flash({"OLLAMA_FLASH_ATTENTION": "off"}) == "on"  # Go reads no such boolean; Ollama takes it as set
    assert number({"OLLAMA_NUM_PARALLEL": '"4"'}, "OLLAMA_NUM_PARALLEL") == 4
    assert number({"OLLAMA_NUM_PARALLEL": "-1"}, "OLLAMA_NUM_PARALLEL") is None


def test_a_host_that_cannot_be_read_is_unknown() -> None:
    with pytest.raises(HostError, match="h: the GPUs cannot be read"):
        target_of("h", HostSnapshot.unreadable("no shell"))


def host(*free: int, held: int = 3000) -> HostSnapshot:
    """GPUs with free MiB; a program that is not Ollama's holds memory on the first."""
    cards = []
    for i, mib in enumerate(free):
        card = scenes.gpu(i, f"GPU-{i}", 0)
        cards.append(replace(card, memory=replace(card.memory, free_bytes=Known(mib * MIB, "nvidia-smi"))))
    other = GpuProcess(pid=7, name="/usr/bin/python3", gpu_uuid="GPU-0", used_bytes=Known(held * MIB, "nvidia-smi"))
    nvml = scenes.nvml(tuple(cards), (other,))
    return replace(HostSnapshot.unreadable("not asked"), nvml=Known(nvml, "nvidia-smi"))


def test_the_gpus_of_a_host(monkeypatch: pytest.MonkeyPatch, llama: Path) -> None:
    body = codec.dump(host(5000), "gpu01")
    monkeypatch.setattr(
        "ongpu.fleet.snapshot.snapshot_fleet", lambda options, keep_secrets: iter([("gpu01", body, "")])
    )
    code, (model,) = as_json("l", "--model-info", llama, "--host", "gpu01", "--num-ctx", 8192)
    assert code == Exit.FINDINGS
    device = model["devices"][0]
    assert device["name"] == "GPU 0 NVIDIA GeForce RTX 4060"
    assert device["other_mib"] == 450  # the driver's context
    helps = {advice["change"]: advice for advice in model["advice"]}
    assert helps["end the other programs on the GPUs (python3)"] == {
        "change": "end the other programs on the GPUs (python3)",
        "saves_mib": 3000,
        "fits": True,
    }


def test_a_host_that_gives_no_answer(monkeypatch: pytest.MonkeyPatch, llama: Path) -> None:
    monkeypatch.setattr(
        "ongpu.fleet.snapshot.snapshot_fleet", lambda options, keep_secrets: iter([("gpu01", None, "no route")])
    )
    with pytest.raises(HostError, match="gpu01: no route"):
        fit("l", "--model-info", llama, "--host", "gpu01")


def test_free_memory_that_cannot_be_read_is_unknown() -> None:
    nvml = scenes.nvml((scenes.gpu(0, "GPU-0", 0),), ())
    blind = replace(HostSnapshot.unreadable("not asked"), nvml=Known(nvml, "nvidia-smi"))
    with pytest.raises(HostError, match="h: the free memory of GPU 0 cannot be read"):
        target_of("h", blind)


def test_what_a_host_is_set_to(llama: Path) -> None:
    target = replace(target_of("h", host(24_000)), environment={"OLLAMA_CONTEXT_LENGTH": "2048"})
    asked = Asked()
    model = read_model("l", str(llama))
    assert settings_of(model, target, asked).num_ctx == 2048
    assert settings_of(model, target, Asked(num_ctx=1024)).num_ctx == 1024
    quantised = replace(target, environment={"OLLAMA_KV_CACHE_TYPE": "Q8_0", "OLLAMA_NUM_PARALLEL": "2"})
    found = settings_of(model, quantised, asked)
    assert (found.type_k, found.parallel, found.num_ctx) == ("q8_0", 2, 4096)  # one card of 8 GiB: the small tier
    with pytest.raises(InsufficientFacts, match="OLLAMA_KV_CACHE_TYPE 'foo'"):
        settings_of(model, replace(target, environment={"OLLAMA_KV_CACHE_TYPE": "foo"}), asked)
