"""Models on a real host: said no before the pull, and pulled with one sentence for each failure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from ongpu_lab import faults
from ongpu_lab.faults.base import Target
from ongpu_lab.lab import Lab
from tests.lab.fleets import Controller
from tests.lab.machines import Host
from tests.lab.models import (
    API,
    KNOBS,
    SMALL,
    Declare,
    blank_lab3,
    blocked,
    declaring,
    knob,
    store,
)

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def server(lab: Lab) -> Host:
    return blank_lab3(lab)


@pytest.fixture
def declare(server: Host, controller: Callable[..., Controller]) -> Iterator[Declare]:
    yield from declaring(server, controller)


@pytest.fixture
def on(declare: Declare, server: Host) -> Controller:
    """lab3 with Ollama and a small model in its store; set up once, and as the test before has left it."""
    made = declare({SMALL: {"context": 8192}})
    if f'"{SMALL}"' not in server.run(f"curl -s {API}/api/tags").stdout:
        assert made.ongpu("apply", "-y").returncode == 0
    return made


def test_a_model_that_never_fits_is_refused_with_numbers_before_its_pull(on: Controller, declare: Declare) -> None:
    huge = declare({"llama3.3:70b": {"context": 131072}})
    words = blocked(huge.report("plan", expect=2))
    assert words.startswith("llama3.3:70b cannot lie fully on the GPU: it needs ")
    assert "weights 39" in words
    assert "it would fit with" in words
    assert words.endswith("to go on anyway: --force")
    done = huge.report("apply", "-y", expect=2)["lab3"]
    assert done["summary"].endswith(words)
    forced = huge.report("plan", "--force", expect=2)["lab3"]["changes"]
    assert any(change["summary"] == "pull llama3.3:70b" for change in forced)


def test_one_that_fits_only_beside_nothing_else(on: Controller, declare: Declare) -> None:
    words = blocked(declare({"llama3.3:70b": {"context": 8192}, "qwen3:32b": {}}).report("plan", expect=2))
    assert "qwen3:32b cannot lie fully on the GPU" in words
    assert "beside llama3.3:70b (" in words
    assert "alone it fits" in words


def test_the_ways_in_which_a_model_cannot_be_had(on: Controller, declare: Declare, server: Host) -> None:
    before = store(server)
    words = blocked(declare({"no-such-model:1b": {}}).report("plan", expect=2))
    assert words == "the registry knows no model no-such-model:1b: check its name and its tag"
    pinned = declare({"qwen3:8b": {"digest": "sha256:" + "b" * 64}})
    assert "the inventory says sha256:bbbb" in blocked(pinned.report("plan", expect=2))
    faults.apply(server.lab, faults.find("registry-down"), None)
    down = declare({"qwen3:8b": {}})
    (pull,) = [c for c in down.report("plan", expect=2)["lab3"]["changes"] if c["resource"] == "models"]
    assert "cannot be foreseen: the registry does not answer: HTTP 503" in pull["diff"]
    failed = down.report("apply", "-y", expect=2)["lab3"]["summary"]
    assert "qwen3:8b: the registry is down: " in failed, failed
    assert "(4 tries; run again to go on from what has come)" in failed
    faults.clear(server.lab, "registry-down")
    knob(server, KNOBS, "pull", "status", "412")
    failed = down.report("apply", "-y", expect=2)["lab3"]["summary"]
    assert "qwen3:8b needs a newer Ollama than 0.32.15: raise ollama.release" in failed
    assert store(server) == before, "nothing half-pulled is counted as present"


def digest_of(server: Host) -> str:
    models = json.loads(server.out(f"curl -sf {API}/api/tags"))["models"]
    return str(next(model["digest"] for model in models if model["name"] == SMALL))


CONFIG = {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": "sha256:" + "9" * 64, "size": 500}
NO_GGUF = {
    "cloudy": ("license", "cloudy is a cloud model: it runs at its provider, never on this host's GPU"),
    "tensors": ("tensor", "tensors is a safetensors model, which only Ollama's MLX engine loads"),
}


@pytest.mark.parametrize("name", NO_GGUF)
def test_what_is_no_gguf_file(name: str, on: Controller, declare: Declare, server: Host) -> None:
    kind, words = NO_GGUF[name]
    manifests = server.lab.dir / "www" / "registry.ollama.ai" / "v2" / "library" / name / "manifests"
    manifests.mkdir(parents=True, exist_ok=True)
    layer = {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": "sha256:" + "8" * 64, "size": 5}
    (manifests / "latest").write_text(json.dumps({"schemaVersion": 2, "config": CONFIG, "layers": [layer]}))
    assert blocked(declare({name: {}}).report("plan", expect=2)).startswith(words)


def test_a_file_that_is_damaged_on_its_way(on: Controller, declare: Declare, server: Host) -> None:
    before = store(server)
    knob(server, KNOBS, "pull", "corrupt", "yes")
    failed = declare({"qwen3:8b": {}}).report("apply", "-y", expect=2)["lab3"]["summary"]
    assert "what came of qwen3:8b was damaged on its way (digest mismatch" in failed
    assert store(server) == before


def test_a_disk_that_is_too_small(on: Controller, declare: Declare, server: Host) -> None:
    disk = Target(server.lab, "lab3")
    disk.ask("disk", free_bytes=8192)  # the lab's files of weights are headers, 24 KiB of this one
    try:
        words = blocked(declare({"qwen3:8b": {}}).report("plan", expect=2))
    finally:
        disk.ask("disk", free_bytes=None)
    assert words.startswith("the disk is too small: qwen3:8b needs ")
    assert "are free" in words


def test_a_tag_that_was_moved_is_drift(on: Controller, declare: Declare, server: Host) -> None:
    assert on.ongpu("apply", "-y").returncode == 0
    digest = digest_of(server)
    pinned = declare({SMALL: {"context": 8192, "digest": f"sha256:{digest}"}})
    assert pinned.ongpu("drift").returncode == 0
    server.out(f'curl -sf -d \'{{"model": "{SMALL}", "from": "{SMALL}", "system": "Hi"}}\' {API}/api/create')
    (change,) = pinned.report("drift", expect=2)["lab3"]["changes"]
    assert change["summary"].startswith(f"pull {SMALL} (it is sha256:")
    assert change["summary"].endswith(f", declared sha256:{digest[:12]})")
    assert pinned.ongpu("apply", "-y").returncode == 0
    assert digest_of(server) == digest


def test_fit_of_a_host_agrees_with_what_its_runner_takes(on: Controller, server: Host) -> None:
    """The stand-in sizes its loads by code of its own."""
    assert on.ongpu("apply", "-y").returncode == 0
    done = on.ongpu("fit", SMALL, "qwen3:8b", "--host", "lab3", "--format", "json")
    assert done.returncode == 0, done.stderr
    small, other = json.loads(done.stdout)["models"]
    (device,) = small["devices"]
    buffers = server.out("journalctl -u ollama -o cat | grep -oE 'CUDA0 .*buffer size = *[0-9.]+' | tail -n 3")
    held = sum(float(line.rpartition("=")[2]) for line in buffers.splitlines())
    assert device["total_mib"] - device["other_mib"] == pytest.approx(held, rel=0.01)  # other: the driver's context
    assert set(device) == {
        "name", "free_mib", "weights_mib", "kv_mib", "state_mib", "compute_mib", "other_mib", "total_mib", "error_mib"
    }  # fmt: skip
    assert (other["fits"], other["largest_num_ctx"], other["advice"]) == (True, 40960, []), "from the registry"
    never = on.ongpu("fit", "llama3.3:70b", "--num-ctx", "65536", "--host", "lab3")
    assert never.returncode == 2
    assert "does not fit" in never.stdout
    assert "would fit: " in never.stdout
    unknown = on.ongpu("fit", "no-such:1b", "--host", "lab3")
    assert unknown.returncode == 3
    assert "the registry knows no such model: check its name and its tag (asked on lab3)" in unknown.stderr


def test_a_cut_pull_goes_on(on: Controller, declare: Declare, server: Host) -> None:
    knob(server, KNOBS, "pull", "cut_after", "4000")
    assert declare({"qwen3:8b": {}}).ongpu("apply", "-y").returncode == 0
    assert "qwen3:8b" in store(server)
