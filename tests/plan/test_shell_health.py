"""After a restart the service is at least as well as before, or what served before is put back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.plan.bench import Bench
from tests.plan.test_shell_driver import restart

GIB = 1 << 30
FOREVER = "2318-11-24T10:00:00.123456789Z"
FOUND = (
    'time=2026-11-24T10:00:00.000Z level=INFO source=types.go:32 msg="inference compute" id=0 library={} compute=8.9'
)


def model(name: str, on_gpu: int = 4 * GIB, expires: str = FOREVER, context: int = 8192) -> dict[str, Any]:
    return {
        "name": name, "model": name, "size": 4 * GIB, "digest": "abc",
        "details": {"family": "llama", "families": ["llama"], "parameter_size": "3.2B"},
        "expires_at": expires, "size_vram": on_gpu, "context_length": context,
    }  # fmt: skip


class Ollama:
    """A service in files: what it answers now, and what it answers once it has been restarted with a drop-in."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.drop_in = bench.place / "ollama.service.d" / "50-ongpu.conf"
        self.good = bench.place / "last-good" / "50-ongpu.conf"
        for directory in (self.drop_in.parent, self.good.parent, bench.place / "now"):
            directory.mkdir()
        self.drop_in.write_text("new")
        self.good.write_text("old")
        now, place = bench.place / "now", bench.place
        bench.fake(
            "systemctl",
            f'[ "$1" != restart ] || cp {place}/$(cat {self.drop_in})/* {now}/\n[ $1 = show ] && echo 0; exit 0',
        )
        bench.fake("journalctl", f'[ "$1" = --sync ] || cat {now}/journal')
        bench.fake("sleep", "exit 0")
        bench.fake("logger", "exit 0")
        bench.fake(
            "curl",
            'for last; do :; done\ncase $* in *--output*) exec >/dev/null ;; esac\ncase $last in\n'
            f"*/api/version) cat {now}/version ;;\n*/api/ps) cat {now}/ps ;;\n*/api/generate) cat {now}/generate\n"
            f"[ ! -f {now}/loaded ] || mv {now}/loaded {now}/ps ;;\n*/api/tags) cat {now}/tags 2>/dev/null ;;\n"
            f"*/api/embed) cat {now}/embed ;;\nesac",
        )  # fmt: skip

    def serves(
        self, when: str, *models: dict[str, Any], gpus: int = 1, version: str = "0.32.15", load: str = '{"done":true}'
    ) -> None:
        """`when`: now, old, new (with that drop-in). `models`: what /api/ps says."""
        place = self.bench.place / when
        place.mkdir(exist_ok=True)
        (place / "version").write_text(json.dumps({"version": version}))
        (place / "ps").write_text(json.dumps({"models": models}))
        lines = [FOUND.format("CUDA")] * gpus or [FOUND.format("cpu")]
        (place / "journal").write_text("\n".join(lines) + "\n")
        (place / "generate").write_text(load)
        (place / "embed").write_text('{"embeddings":[]}')

    def has_unloaded(self, when: str, loaded: dict[str, Any], *others: tuple[str, int]) -> None:
        """In its store; nothing is resident before somebody asks for `loaded`."""
        place = self.bench.place / when
        (place / "ps").write_text('{"models":[]}')
        (place / "loaded").write_text(json.dumps({"models": [loaded]}))
        stored = [*others, (loaded["name"], loaded["size"])]
        (place / "tags").write_text(
            json.dumps({"models": [{"name": name, "model": name, "size": size} for name, size in stored]})
        )

    def restarted(self, **values: str) -> str:
        """Empty, or why not."""
        step = restart(seconds=5, place=self.bench.place)
        script = step.stdin or ""
        wanted = {"WANTED": "0.32.15", "GPUS": "1", "DECLARED": "a:1"} | values
        for name, value in wanted.items():
            script = "\n".join(
                f"{name}='{value}'" if line.startswith(f"{name}=") else line for line in script.split("\n")
            )
        said = self.bench.run(type(step)(command=step.command, what=step.what, stdin=script))
        assert bool(said.code) == bool(said.reason), said
        return said.reason

    def loads(self) -> list[dict[str, Any]]:
        calls = [line for line in self.bench.calls("curl") if "/api/generate" in line]
        return [json.loads(line.partition("--data ")[2].rpartition(" ")[0]) for line in calls]

    def told(self) -> str:
        return "\n".join(self.bench.calls("logger"))


@pytest.fixture
def ollama(bench: Bench) -> Ollama:
    return Ollama(bench)


def test_a_healthy_service_is_the_new_way_back(ollama: Ollama) -> None:
    ollama.serves("now", model("a:1"))
    ollama.serves("new", model("a:1"))
    assert ollama.restarted() == ""
    assert ollama.good.read_text() == "new"
    assert "it is ollama 0.32.15 with 1 of 1 GPUs, a:1 on the GPU" in ollama.told()


def test_what_was_resident_is_loaded_again_with_its_own_duration(ollama: Ollama) -> None:
    soon, later, past = "2099-01-01T00:00:00Z", "2019-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
    ollama.serves("now", model("c:1", expires=soon, context=2048), model("d:1", expires=past), model("A:1", context=16))
    ollama.serves("new", model("a:1"), model("c:1"))
    assert later < past
    assert ollama.restarted(CONTEXT="8192") == ""
    first, second = ollama.loads()
    assert first == {"model": "A:1", "keep_alive": -1}, "a declared model is loaded as it is declared, and first"
    assert second["model"] == "c:1"
    assert second["keep_alive"] > 10**8
    assert second["options"] == {"num_ctx": 2048}, "a client asked for another context than the default"


def test_one_that_keeps_the_default_duration_gets_it_again(ollama: Ollama) -> None:
    ollama.serves("now", model("a:1", expires="2099-01-01T00:00:00Z"))
    ollama.serves("new", model("a:1"))
    assert ollama.restarted(KEEP="99999999999") == ""
    assert ollama.loads() == [{"model": "a:1"}]


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ({"gpus": 0}, "it found 0 of 1 GPUs with CUDA"),
        ({"version": "0.31.0"}, "it answers as ollama 0.31.0, not 0.32.15"),
        ({"models": (model("a:1", on_gpu=GIB),)}, "a:1 has 1024 of 4096 MiB on the GPU, all of it before"),
        ({"models": (), "load": '{"error":"cudaMalloc failed"}'}, "a:1: cudaMalloc failed"),
    ],
)  # fmt: skip
def test_what_makes_it_worse_is_put_back_and_both_states_are_told(
    ollama: Ollama, after: dict[str, Any], says: str
) -> None:
    ollama.serves("now", model("a:1"))
    ollama.serves("old", model("a:1"))
    rest = {name: value for name, value in after.items() if name != "models"}
    ollama.serves("new", *after.get("models", (model("a:1"),)), **rest)
    reason = ollama.restarted()
    assert reason.startswith(f"ollama.service is not healthy after its restart: {says}")
    assert "(before: ollama 0.32.15 with 1 of 1 GPUs, a:1 on the GPU)" in reason
    assert reason.endswith(
        "put back, and the service answers again: the previous 50-ongpu.conf (now: ollama 0.32.15 with 1 of 1 GPUs, "
        "a:1 on the GPU)"
    )
    assert ollama.drop_in.read_text() == ollama.good.read_text() == "old"
    assert "put back: the previous 50-ongpu.conf" in ollama.told()


def test_what_was_no_better_before_is_told_and_not_put_back(ollama: Ollama) -> None:
    ollama.serves("now", gpus=0)
    ollama.serves("new", gpus=0)
    reason = ollama.restarted()
    assert reason.endswith("it found 0 of 1 GPUs with CUDA; it was no better before, so nothing was put back")
    assert ollama.drop_in.read_text() == "new"


def test_with_nothing_resident_the_smallest_declared_model_tells(ollama: Ollama) -> None:
    ollama.serves("now")
    ollama.has_unloaded("now", model("a:1"), ("b:1", GIB), ("big:1", 40 * GIB), ("cloud:1", 300))
    ollama.serves("old", model("a:1"))
    ollama.serves("new", model("a:1", on_gpu=GIB))
    reason = ollama.restarted(DECLARED="big:1 a:1 cloud:1")
    assert "a:1 has 1024 of 4096 MiB on the GPU, all of it before (before: ollama 0.32.15 with 1 of 1 GPUs" in reason
    assert "put back, and the service answers again: the previous 50-ongpu.conf" in reason
    assert ollama.drop_in.read_text() == "old"
    assert {load["model"] for load in ollama.loads()} == {"a:1"}


def test_what_was_loaded_to_tell_makes_room_where_few_may_be_loaded(ollama: Ollama) -> None:
    ollama.serves("now")
    ollama.has_unloaded("now", model("a:1"), ("b:1", GIB))
    ollama.serves("new", model("a:1"))
    assert ollama.restarted(TURNS="yes") == ""
    assert ollama.loads()[-1] == {"model": "a:1", "keep_alive": 0}


@pytest.mark.parametrize("why_not", ["nothing to go back to", "no GPU before", "none in the store"])
def test_nothing_is_loaded_where_it_would_tell_nothing(ollama: Ollama, why_not: str) -> None:
    ollama.serves("now", gpus=0 if why_not == "no GPU before" else 1)
    if why_not != "none in the store":
        ollama.has_unloaded("now", model("a:1"))
    if why_not == "nothing to go back to":
        ollama.good.write_text("new")
    ollama.serves("new")
    assert ollama.restarted() == ""
    assert ollama.loads() == []


def test_a_model_that_nobody_declared_decides_nothing(ollama: Ollama) -> None:
    ollama.serves("now", model("b:1"))
    ollama.serves("new", model("b:1", on_gpu=GIB))
    assert ollama.restarted() == ""


def test_a_journal_without_discovery_is_no_evidence(ollama: Ollama) -> None:
    for when in ("now", "new"):
        ollama.serves(when, model("a:1"))
        (ollama.bench.place / when / "journal").write_text("")
    assert ollama.restarted() == ""


def test_an_embedding_model_is_loaded_by_its_own_endpoint(ollama: Ollama) -> None:
    ollama.serves("now", model("a:1"))
    ollama.serves("new", model("a:1"), load='{"error":"\\"a:1\\" does not support generate"}')
    assert ollama.restarted() == ""
    assert any("/api/embed" in call for call in ollama.bench.calls("curl"))


def test_a_drop_in_that_was_taken_away_comes_back_where_the_service_does_not_start(ollama: Ollama) -> None:
    """An undo removes it, and what was there before does not answer in its version."""
    ollama.serves("now", model("a:1"))
    ollama.serves("old", model("a:1"))
    ollama.drop_in.unlink()
    ollama.bench.fake(
        "systemctl",
        f'[ "$1" != restart ] || cp {ollama.bench.place}/$(cat {ollama.drop_in} 2>/dev/null || echo none)/* '
        f"{ollama.bench.place}/now/\n[ $1 = show ] && echo 0; exit 0",
    )
    ollama.serves("none", version="0.1.0")
    reason = ollama.restarted(GPUS="", DECLARED="")
    assert "it answers as ollama 0.1.0, not 0.32.15" in reason
    assert "put back, and the service answers again: the previous 50-ongpu.conf" in reason
    assert ollama.drop_in.read_text() == "old"


def test_a_foreign_program_is_put_back(ollama: Ollama) -> None:
    kept = ollama.bench.place / "kept"
    kept.write_text("#!/bin/sh\n")
    kept.chmod(0o755)
    (ollama.good.parent / "binary").write_text(f"{kept}\n")
    ollama.serves("now", model("a:1"))
    ollama.serves("old", model("a:1"))
    ollama.serves("new", gpus=0)
    reason = ollama.restarted()
    program = ollama.bench.place / "bin" / "ollama"
    assert f"put back, and the service answers again: the previous {program} and the previous 50-ongpu.conf" in reason
    assert program.read_text() == "#!/bin/sh\n"


def test_a_name_that_is_no_name_reaches_no_shell(ollama: Ollama, tmp_path: Path) -> None:
    ollama.serves("now", model(f"$(touch {tmp_path}/x)"), model("`id`"))
    ollama.serves("new")
    assert ollama.restarted() == ""
    assert ollama.loads() == []
    assert not (tmp_path / "x").exists()
