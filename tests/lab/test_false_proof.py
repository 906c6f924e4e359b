"""Where `ollama ps` says 100 % GPU and it is not true, or not known: never verified (design D4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ongpu_lab import faults
from ongpu_lab.lab import Lab
from tests.lab.fleets import Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

MOE = "qwen3:30b-a3b"  # a mixture of experts that fits into two 24 GB cards


@pytest.fixture(scope="module")
def server(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """lab3, blank."""
    host = Host(lab, "lab3")
    host.reset()
    return host


@pytest.fixture
def on(server: Host, controller: Callable[..., Controller]) -> Iterator[Controller]:
    """lab3 as declared, proven; and afterwards without faults."""
    declared = controller(fleet({"lab3": {"expect": {"gpus": 2}, "models": {MOE: {"context": 8192}}}}))
    assert declared.report("apply", "-y")["lab3"]["models"][0]["verdict"] == "verified"
    yield declared
    for name, where in faults.active(server.lab):
        faults.clear(server.lab, name, where or None)


def model_of(on: Controller, exit_code: int) -> dict[str, Any]:
    model: dict[str, Any] = on.report("verify", "--load", expect=exit_code)["lab3"]["models"][0]
    return model


def says(model: dict[str, Any], witness: str) -> str:
    return str(model["witnesses"][witness]["says"])


def test_experts_on_the_cpu_are_found_though_the_api_says_100_percent(on: Controller, server: Host) -> None:
    faults.apply(server.lab, faults.find("cpu-moe"), "lab3")
    model = model_of(on, exit_code=2)
    assert model["bytes"] == model["bytes_on_gpu"]  # what `ollama ps` shows as 100 % GPU
    assert model["verdict"] == "disagreement"
    assert (says(model, "log"), says(model, "environment")) == ("no", "no")
    assert "LLAMA_ARG_CPU_MOE" in model["summary"]


def test_a_log_that_claims_the_gpu_is_refuted_by_the_driver(on: Controller, server: Host) -> None:
    faults.apply(server.lab, faults.find("silent-cpu"), "lab3")
    server.out("systemctl restart ollama")
    model = model_of(on, exit_code=2)
    assert (says(model, "api"), says(model, "driver")) == ("yes", "no")
    assert model["verdict"] == "disagreement"


def test_without_log_and_driver_nothing_is_verified(on: Controller, server: Host) -> None:
    """The runner's lines never reached the journal, and the driver does not tell who uses its memory."""
    faults.apply(server.lab, faults.find("quiet-log"), "lab3")
    faults.apply(server.lab, faults.find("silent-cpu"), "lab3")
    server.out("systemctl restart ollama")
    model = model_of(on, exit_code=2)
    assert (says(model, "log"), says(model, "driver")) == ("silent", "no")
    assert model["verdict"] != "verified"


def test_a_lost_log_alone_leaves_the_proof_to_the_driver(on: Controller, server: Host) -> None:
    faults.apply(server.lab, faults.find("quiet-log"), "lab3")
    server.out("systemctl restart ollama")
    model = model_of(on, exit_code=0)
    assert (says(model, "log"), says(model, "driver")) == ("silent", "yes")
    assert model["verdict"] == "verified"


def test_hidden_gpus_are_named_with_the_variable(on: Controller, server: Host) -> None:
    faults.apply(server.lab, faults.find("env-cpu"), "lab3")
    model = model_of(on, exit_code=2)
    assert model["verdict"] == "not_verified"
    assert "CUDA_VISIBLE_DEVICES" in str(model["witnesses"]["environment"])
