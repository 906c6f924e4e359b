"""ongpu fit --host: what the host tells of a model, and which sentence comes of what it cannot tell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ongpu.cli.fit import command
from ongpu.engine import ahead
from ongpu.engine.answer import Answer
from ongpu.errors import Exit
from ongpu.fit.description import of_model_info
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.foreseen import Foreseen
from ongpu.host import codec
from tests.cli.test_fit import host
from tests.fit.planner import model_info

LLAMA = of_model_info("llama3.1:8b", model_info("llama3.1-8b.Q4_K_M"))


def fit(*words: str) -> tuple[int, list[dict[str, Any]]]:
    done = CliRunner().invoke(command, [*words, "--host", "gpu01", "--format", "json"], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.return_value, json.loads(done.output)["models"]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Foreseen]:
    """What the host will tell, by name; the test fills it."""
    found: dict[str, Foreseen] = {}
    body = codec.dump(host(24_000), "gpu01")
    monkeypatch.setattr(
        "ongpu.fleet.snapshot.snapshot_fleet", lambda options, keep_secrets: iter([("gpu01", body, "")])
    )
    monkeypatch.setattr(
        ahead, "look_ahead", lambda run, models, place, snapshot: {name: found[name] for name in models}
    )
    return found


def test_a_name_is_asked_of_the_host(told: dict[str, Foreseen]) -> None:
    told["llama3.1:8b"] = Foreseen(kind="gguf", description=LLAMA)
    told["own"] = Foreseen(kind="gguf", description=replace(LLAMA, name="own"), num_ctx=2048)
    code, (first, second) = fit("llama3.1:8b", "own")
    assert code == Exit.OK
    assert first["devices"][0]["kv_mib"] == 512  # 4096 tokens: Ollama's default on a card of 8 GiB
    assert second["devices"][0]["kv_mib"] == 256  # its own num_ctx
    assert second["devices"][0]["free_mib"] == first["devices"][0]["free_mib"] - first["devices"][0]["total_mib"]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Foreseen(kind="absent"), "m: the registry knows no such model: check its name and its tag (asked on gpu01)"),
        (Foreseen(kind="remote"), "it is a cloud model"),
        (Foreseen(kind="safetensors"), "only Ollama's MLX engine loads"),
        (Foreseen(why="the registry does not answer: HTTP 503"), "m: the registry does not answer: HTTP 503"),
    ],
)
def test_what_it_cannot_tell_is_one_sentence(told: dict[str, Foreseen], found: Foreseen, words: str) -> None:
    told["m"] = found
    with pytest.raises(InsufficientFacts) as caught:
        fit("m")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_are_read_here(told: dict[str, Foreseen], tmp_path: Path) -> None:
    path = tmp_path / "llama.json"
    path.write_text(json.dumps(model_info("llama3.1-8b.Q4_K_M")))
    code, (model,) = fit("l", "--model-info", str(path))
    assert (code, model["layers_on_gpu"]) == (Exit.OK, 33)


def test_a_host_that_breaks_off_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    body = codec.dump(host(24_000), "gpu01")
    monkeypatch.setattr(
        "ongpu.fleet.snapshot.snapshot_fleet", lambda options, keep_secrets: iter([("gpu01", body, "")])
    )
    gone = [("gpu01", Answer("", "the connection was closed by the host"))]
    monkeypatch.setattr("ongpu.fleet.snapshot.ask_fleet", lambda options, script, seconds: iter(gone))
    with pytest.raises(InsufficientFacts, match="m: the connection was closed by the host"):
        fit("m")


def test_a_release_is_only_asked_for_where_no_host_tells(told: dict[str, Foreseen], tmp_path: Path) -> None:
    path = tmp_path / "llama.json"
    path.write_text(json.dumps(model_info("llama3.1-8b.Q4_K_M")))
    with pytest.raises(click.UsageError, match="the host tells"):
        fit("m", "--ollama", "0.32.15")
    words = ["l", "--model-info", str(path), "--gpu", "8000", "--num-ctx", "8192", "--batch", "512", "--format", "json"]
    compute = []
    for release in ("0.32.15", "0.30.0"):
        done = CliRunner().invoke(command, [*words, "--ollama", release], standalone_mode=False)
        compute.append(json.loads(done.output)["models"][0]["devices"][0]["compute_mib"])
    assert compute == pytest.approx([116.01, 258.5], abs=0.05)  # before: every output of a batch
    done = CliRunner().invoke(command, [*words, "--ollama", "newest"], standalone_mode=False)
    assert "not a version" in str(done.exception)
