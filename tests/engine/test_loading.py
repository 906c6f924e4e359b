"""The load script, run for real in each shell against a little server, with curl, with wget, and with neither."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ongpu.engine import loading
from ongpu.engine.asked import asked
from ongpu.engine.loading import Setting, Wanted
from ongpu.proof.case import Asked
from tests.engine.fake_ollama import BLOB, DONE, SHOW, FakeOllama, serving
from tests.probe.shells import SHELLS, run, tool

TINY = Wanted("tiny:latest", 700_000_000)
SETTING = Setting(context=4096, parallel=1, most=3)
LARGER = Setting(context=8192, parallel=1, most=3)
TOOLS = (
    *("awk", "cat", "cut", "date", "grep", "head", "od", "printf", "sed", "sleep", "tail", "timeout", "tr", "true"),
    *("sort", "id", "wc"),
)
Shell = tuple[str, ...]


@pytest.fixture
def fake() -> Iterator[FakeOllama]:
    with serving() as server:
        yield server


class Bed:
    """Where the script runs: tools first on the path, a /proc of its own."""

    def __init__(self, base: Path, fake: FakeOllama) -> None:
        self.tools, self.proc, self.fake = base / "tools", base / "proc", fake
        self.proc.mkdir()
        unit = f"echo MainPID=0; echo 'Environment=OLLAMA_HOST=127.0.0.1:{fake.port}'"
        tool(self.tools, "systemctl", unit)

    def free(self, *mib: int) -> None:
        (self.proc / "driver" / "nvidia").mkdir(parents=True)
        (self.proc / "driver" / "nvidia" / "version").write_text("NVRM\n")
        tool(self.tools, "nvidia-smi", "\n".join(f"echo {one}" for one in mib))

    def ask(
        self,
        shell: Shell,
        *wanted: Wanted,
        load: bool = True,
        setting: Setting = SETTING,
        only: tuple[str, ...] | None = None,
    ) -> tuple[Asked, ...]:
        wanted = wanted or (TINY,)
        return asked(self.text(shell, wanted, load, setting, only), len(wanted))

    def text(
        self, shell: Shell, wanted: tuple[Wanted, ...], load: bool, setting: Setting, only: tuple[str, ...] | None
    ) -> str:
        script = loading.text(wanted, setting, load)
        if only is not None:  # no directory of this machine: just these clients
            bare = self.tools.parent / "bare"
            bare.mkdir()
            for name in (*TOOLS, *only):
                (bare / name).symlink_to(shutil.which(name) or name)
            script = script.replace(":/usr/local/sbin:", ":/nowhere #").replace(
                "PATH=$PATH", f"PATH={self.tools}:{bare}", 1
            )
            shell = (shutil.which(shell[0]) or shell[0], *shell[1:])
        return run(shell, script, self.tools, self.proc)


@pytest.fixture
def bed(tmp_path: Path, fake: FakeOllama) -> Bed:
    return Bed(tmp_path, fake)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_missing_model_is_loaded_and_timed(shell: Shell, bed: Bed) -> None:
    (told,) = bed.ask(shell)
    assert (told.outcome, told.trouble, told.blob, told.kind) == ("loaded", "", BLOB, "text")
    assert told.shape.input_bytes == 4096 * 128256 * 9 // 16
    assert (told.shape.input_tensors, told.shape.layers) == (1, 33)
    assert told.generation is not None
    assert told.generation.rate == 80.0
    (show, generate) = bed.fake.asked
    assert show == ("/api/show", {"model": "tiny:latest"})
    assert generate[1]["model"] == "tiny:latest"
    assert generate[1]["options"] == {"num_predict": 32, "temperature": 0, "seed": 1}
    assert not {"keep_alive", "num_ctx", "num_gpu"} & (generate[1].keys() | generate[1]["options"].keys())


@pytest.mark.parametrize("shell", SHELLS)
def test_without_leave_nothing_is_loaded_or_generated(shell: Shell, bed: Bed) -> None:
    (missing,) = bed.ask(shell, load=False)
    assert missing.outcome == "not loaded"
    assert "--load" in missing.why
    bed.fake.resident("Tiny:Latest")
    (resident,) = bed.ask(shell, load=False)
    assert (resident.outcome, resident.blob) == ("resident", BLOB)
    assert set(bed.fake.paths) == {"/api/show"}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_resident_model_is_timed_whatever_else_is_resident(shell: Shell, bed: Bed) -> None:
    bed.fake.resident("big:70b", "tiny:latest")
    (told,) = bed.ask(shell, Wanted("Tiny", 1), setting=Setting(context=4096, parallel=1, most=1))
    assert told.outcome == "resident"
    assert told.generation is not None


@pytest.mark.parametrize("shell", SHELLS)
def test_a_resident_model_is_asked_with_its_own_context(shell: Shell, bed: Bed) -> None:
    """A client has loaded it with another num_ctx than the service's: without it Ollama would load it anew."""
    bed.fake.resident("other:latest", "tiny:latest", context=16384)
    (told,) = bed.ask(shell)
    assert told.outcome == "resident"
    ((_, body),) = [asked for asked in bed.fake.asked if asked[0] == "/api/generate"]
    assert body["options"] == {"num_predict": 32, "temperature": 0, "seed": 1, "num_ctx": 16384}


@pytest.mark.parametrize("shell", SHELLS)
def test_one_whose_context_is_not_told_is_asked_for_nothing(shell: Shell, bed: Bed) -> None:
    bed.fake.resident("tiny:latest", context=None)
    (told,) = bed.ask(shell)
    assert (told.outcome, told.generation) == ("resident", None)
    assert "would load it anew" in told.why
    assert bed.fake.paths == ["/api/show"]


def runner(bed: Bed, port: int, parent: int = 0) -> None:
    """A process that holds the model; systemctl says that ollama is process 700."""
    tool(bed.tools, "systemctl", f"echo MainPID=700; echo 'Environment=OLLAMA_HOST=127.0.0.1:{bed.fake.port}'")
    place = bed.proc / "4711"
    place.mkdir(exist_ok=True)
    words = ("llama-server", "--model", f"/store/blobs/{BLOB}", "--port", str(port))
    (place / "cmdline").write_bytes(b"\0".join(word.encode() for word in words) + b"\0")
    (place / "stat").write_text(f"4711 (llama-server) S {parent or 700} 1 1 0 -1 4194304 100\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_runner_that_answers(shell: Shell, bed: Bed) -> None:
    bed.fake.resident("tiny:latest")
    bed.fake.answers["/health"] = (200, {"status": "ok"})
    runner(bed, bed.fake.port)
    (told,) = bed.ask(shell)
    assert (told.runner, told.runner_line) == ("answers", f"answers 4711 {bed.fake.port}")
    assert told.generation is not None


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("load", [True, False])
def test_a_frozen_runner_is_found_and_not_waited_for(
    shell: Shell, bed: Bed, load: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_MODEL", loading._MODEL.replace('/health" 5', '/health" 1'))
    bed.fake.resident("tiny:latest")
    bed.fake.answers["/health"] = (200, None)
    runner(bed, bed.fake.port)
    (told,) = bed.ask(shell, load=load)
    assert (told.outcome, told.runner) == ("resident", "silent")
    assert told.runner_line.startswith(f"silent 4711 {bed.fake.port} ")
    assert "/api/generate" not in bed.fake.paths


@pytest.mark.parametrize("shell", SHELLS)
def test_a_dead_runner_is_not_started_again_for_a_look(shell: Shell, bed: Bed) -> None:
    """The only process with the model is not the service's: it was left over."""
    bed.fake.resident("tiny:latest")
    runner(bed, bed.fake.port, parent=1)
    (told,) = bed.ask(shell)
    assert (told.outcome, told.runner) == ("resident", "gone")
    assert "/api/generate" not in bed.fake.paths


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("free", "setting", "outcome", "words"),
    [
        # 700 MB + KV 512 MiB = 1179 MiB, and no surcharge for so small a context
        ((1500,), SETTING, "loaded", ""),
        ((1400,), SETTING, "refused", "it needs about 1179 MiB, 1120 MiB are usable"),
        # 700 MB + KV 1024 MiB + surcharge 768 MiB = 2459 MiB
        ((8000,), LARGER, "loaded", ""),
        ((3000,), LARGER, "refused", "it needs about 2459 MiB, 2400 MiB are usable"),
        ((3000, 3000), LARGER, "refused", "it needs about 2459 MiB, 2400 MiB are usable"),  # it would go to one GPU
        ((1000, 1000, 3000), LARGER, "refused", "2400 MiB are usable"),
        ((1400, 1400, 1400), LARGER, "loaded", ""),  # too large for one: all three together
        ((8000,), Setting(context=4096, parallel=16, most=3), "refused", "it needs about 10907 MiB"),
        ((8000,), Setting(context=4096, parallel=1, most=1), "refused", "Ollama keeps at most 1 models"),
        ((8000,), Setting(context=0, parallel=1, most=3), "refused", "it needs about 19099 MiB"),  # the model's own
        ((), SETTING, "refused", "how much GPU memory is free is not known"),
    ],
)
def test_nothing_in_use_is_evicted(
    shell: Shell, bed: Bed, free: tuple[int, ...], setting: Setting, outcome: str, words: str
) -> None:
    bed.fake.resident("big:70b")
    if free:
        bed.free(*free)
    wanted = Wanted("tiny:latest", 700_000_000)
    (told,) = bed.ask(shell, wanted, setting=setting)
    assert told.outcome == outcome
    assert words in told.why
    if outcome == "refused":
        assert told.why.startswith("it is not loaded, and loading it would evict big:70b: ")
        assert bed.fake.paths == ["/api/show"]


@pytest.mark.parametrize("shell", SHELLS)
def test_an_unknown_size_counts_as_too_large(shell: Shell, bed: Bed) -> None:
    bed.fake.resident("big:70b")
    bed.free(80000)
    (told,) = bed.ask(shell, Wanted("tiny:latest", 0))
    assert told.outcome == "refused"
    assert "how much memory it needs cannot be foreseen" in told.why


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("client", ["curl", "wget"])
def test_errors_keep_ollamas_words(shell: Shell, client: str, bed: Bed) -> None:
    words = "llama-server process has terminated: exit status 1: cudaMalloc failed: out of memory"
    bed.fake.answers["/api/generate"] = (500, {"error": words})
    (told,) = bed.ask(shell, only=(client,))
    assert told.outcome == "failed"
    if client == "curl":
        assert told.why == f"HTTP 500: {words}"
    else:  # busybox's wget drops the body
        assert words in told.why or "500" in told.why
    assert bed.fake.paths.count("/api/generate") == 1


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("client", ["curl", "wget"])
def test_each_client_brings_the_same_answer(shell: Shell, client: str, bed: Bed) -> None:
    (told,) = bed.ask(shell, only=(client,))
    assert (told.outcome, told.blob) == ("loaded", BLOB)
    assert told.generation is not None
    assert told.generation.tokens == 32


@pytest.mark.parametrize("shell", [one for one in SHELLS if one.id != "busybox"])  # busybox brings its own wget
def test_without_a_client_it_says_what_to_install(shell: Shell, bed: Bed) -> None:
    (told,) = bed.ask(shell, only=())
    assert told.outcome == "unknown"
    assert "install curl" in told.why


@pytest.mark.parametrize("shell", SHELLS)
def test_a_model_that_is_not_in_the_store(shell: Shell, bed: Bed) -> None:
    bed.fake.answers["/api/show"] = (404, {"error": "model 'tiny:latest' not found"})
    (told,) = bed.ask(shell)
    assert (told.outcome, told.blob) == ("not loaded", "")
    assert bed.fake.paths == ["/api/show"]


@pytest.mark.parametrize(
    ("shell", "client"),
    [
        pytest.param(*shell.values, client, marks=shell.marks, id=f"{shell.id}-{client}")
        for shell, client in zip((SHELLS[0], SHELLS[0], SHELLS[2]), ("curl", "wget", "wget"), strict=True)
    ],
)
def test_a_hanging_server_is_given_up(shell: Shell, client: str, bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "SECONDS", 2)
    monkeypatch.setattr(loading, "LEAST", 1)
    bed.fake.answers["/api/generate"] = (200, None)
    first, second = bed.ask(shell, TINY, Wanted("other:7b", 1), only=(client,))
    assert first.outcome == "unknown"
    assert first.trouble == "the answer is missing: no answer within the time limit"
    assert second.outcome == "refused"
    assert "no time was left" in second.why


@pytest.mark.parametrize("shell", SHELLS)
def test_a_dead_server(shell: Shell, bed: Bed) -> None:
    tool(bed.tools, "systemctl", "echo MainPID=0; echo Environment=OLLAMA_HOST=127.0.0.1:1")
    (told,) = bed.ask(shell)
    assert told.outcome == "unknown"
    assert "onnect" in told.why


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("capabilities", [["embedding"], None])
def test_embedding_models_embed(shell: Shell, bed: Bed, capabilities: list[str] | None) -> None:
    """Old servers do not tell what a model can do: they refuse to generate."""
    show = {key: value for key, value in SHOW.items() if key != "capabilities"}
    bed.fake.answers["/api/show"] = (200, show | ({"capabilities": capabilities} if capabilities else {}))
    bed.fake.answers["/api/generate"] = (400, {"error": '"tiny" does not support generate'})
    (told,) = bed.ask(shell)
    assert (told.outcome, told.kind, told.generation) == ("loaded", "embedding", None)
    assert bed.fake.asked[-1] == ("/api/embed", {"model": "tiny:latest", "input": loading.PROMPT})


@pytest.mark.parametrize("shell", SHELLS)
def test_several_models_and_a_script_behind_it(shell: Shell, bed: Bed) -> None:
    wanted = (TINY, Wanted("hf.co/some-one/it.s-GGUF:Q4_K_M", 1), Wanted("third:1b", 1))
    script = loading.text(wanted, SETTING, True) + "echo behind $LOAD\n"
    text = run(shell, script, bed.tools, bed.proc)
    assert text.endswith("behind\n")
    assert [one.outcome for one in asked(text, 3)] == ["loaded"] * 3
    assert [body["model"] for path, body in bed.fake.asked if path == "/api/generate"] == [one.name for one in wanted]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_remote_model_is_not_run(shell: Shell, bed: Bed) -> None:
    bed.fake.answers["/api/show"] = (200, SHOW | {"remote_host": "https://ollama.com:443", "remote_model": "big"})
    (told,) = bed.ask(shell)
    assert told.outcome == "not loaded"
    assert bed.fake.paths == ["/api/show"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_name_is_data(shell: Shell, bed: Bed, tmp_path: Path) -> None:
    name = f"x'; touch {tmp_path}/owned; $(touch {tmp_path}/owned) \"\\n`touch {tmp_path}/owned`"
    bed.ask(shell, Wanted(name, 1))
    assert not (tmp_path / "owned").exists()
    assert bed.fake.asked[0] == ("/api/show", {"model": name})


@pytest.mark.parametrize("shell", SHELLS)
def test_broken_streams_prove_nothing(shell: Shell, bed: Bed) -> None:
    bed.fake.answers["/api/generate"] = (200, {"model": "", "done": False, "response": "\ufffd"})
    (told,) = bed.ask(shell)
    assert (told.outcome, told.generation, told.trouble) == ("unknown", None, "the answer is not complete")
    bed.fake.answers["/api/generate"] = (503, {"error": "server busy, please try again.  maximum pending requests"})
    (told,) = bed.ask(shell)
    assert told.trouble.startswith("HTTP 503: server busy")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_that_arrives_cut_off_does_nothing(shell: Shell, bed: Bed) -> None:
    script = loading.text((TINY,), SETTING, True)
    for share in (0.3, 0.7, 0.98):
        cut = script[: int(len(script) * share)]
        subprocess.run(shell, input=cut.encode(), capture_output=True, timeout=10, check=False, env=dict(os.environ))
    assert bed.fake.asked == []


def test_the_fake_answers_with_keys_that_a_real_server_sends() -> None:
    recordings = Path(__file__).parent.parent / "recordings" / "ollama-contract" / "cpu"

    def body(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((recordings / name).read_text().partition("\n\n")[2])
        return found

    assert DONE.keys() <= body("17-prompt.http").keys()
    real = body("10-show.http")
    assert SHOW.keys() - {"license", "parameters"} <= real.keys()
    assert list(SHOW["tensors"][0]) == list(real["tensors"][0])
    assert SHOW["model_info"].keys() <= real["model_info"].keys()


@pytest.mark.parametrize("shell", SHELLS)
def test_what_holds_the_same_file_under_another_name_is_not_pushed_out(shell: Shell, bed: Bed) -> None:
    bed.free(80000)
    bed.fake.resident("other:latest")
    runner(bed, bed.fake.port)
    (told,) = bed.ask(shell)
    assert told.outcome == "refused"
    assert "would evict the same weights under another name (process 4711)" in told.why
