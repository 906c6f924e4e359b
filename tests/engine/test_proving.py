"""From a spec and a host's answers to verdicts."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.engine.answer import divide
from ongpu.engine.proving import declared, load_script
from ongpu.engine.proving import testimony as verdicts
from ongpu.engine.remote import Answer
from ongpu.host.ollama import Api, Service
from ongpu.host.reading import Absent, Known
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe.decode import script
from ongpu.spec import from_data
from ongpu.spec.model import HostSpec
from tests.engine.test_asked import answer
from tests.proof.scenes import Scene, recorded

MODELS = {"big": {"context": 8192}, "Tiny:1b": {"context": 4096, "min_tokens_per_second": 50}, "any": {}}


def spec(models: dict[str, object]) -> HostSpec:
    return from_data({"name": "gpu1", "ollama": {"release": "0.32.15"}, "models": models})


def resident(scene: Scene) -> str:
    shown = f"\\nFROM {scene.path}"
    return answer(("show:0", 0, shown), ("decision:0", 0, "resident"))


def test_declared_models_carry_what_the_service_can_do() -> None:
    big, tiny, anything = declared(spec(MODELS))
    assert (big.host, big.name, big.contexts) == ("gpu1", "big", (8192,))
    assert (tiny.contexts, tiny.min_tokens_per_second) == ((4096, 8192), 50)
    assert (anything.contexts, anything.digest, anything.gpus) == ((), "", ())


def test_the_script_asks_with_the_sizes_of_the_store() -> None:
    scene = recorded("two-gpus-sched-spread").but(name="tiny:1b", file_bytes=123456)
    text = load_script(spec(MODELS), scene.snapshot(), True)
    assert "model 0 big:latest 0 " in text
    assert 'model 1 tiny:1b 123456 \'{"model": "Tiny:1b"}\' ' in text
    assert "LOAD=1 CONTEXT=0 PARALLEL=1 MOST=3 " in text


def test_the_script_knows_the_running_servers_settings() -> None:
    environ = {"OLLAMA_CONTEXT_LENGTH": "8192", "OLLAMA_NUM_PARALLEL": "2", "OLLAMA_MAX_LOADED_MODELS": "5"}
    snapshot = recorded("vk-baseline", environ=environ).snapshot()
    assert "LOAD=0 CONTEXT=8192 PARALLEL=2 MOST=5 " in load_script(spec(MODELS), snapshot, False)
    assert isinstance(snapshot.service, Known)
    service: Service = snapshot.service.value
    hidden = replace(service, main=snapshot.pci, environment={"OLLAMA_NUM_PARALLEL": "4", "OLLAMA_CONTEXT_LENGTH": "x"})
    snapshot = replace(snapshot, service=Known(hidden, "systemctl"))
    assert "CONTEXT=0 PARALLEL=4 MOST=3 " in load_script(spec(MODELS), snapshot, False)


def test_a_host_that_could_not_be_looked_at_is_unknown_with_the_reason() -> None:
    blind = HostSnapshot.unreadable("no answer within 900 s")
    (result,) = verdicts(declared(spec({"big": {}})), blind, "")
    assert result.verdict == "unknown"
    assert result.summary == (
        "big on gpu1 cannot be proven: no witness speaks (api+log+driver+environment: no answer within 900 s)"
    )
    assert load_script(spec({"big": {}}), blind, True)


def test_a_proven_model() -> None:
    scene = recorded("two-gpus-sched-spread")
    (result,) = verdicts(declared(spec({"Big": {"context": 8192}})), scene.snapshot(), resident(scene))
    assert result.verdict == "verified"
    assert result.summary == "Big on gpu1: fully on GPU 0 (1.1 GiB, api+log+driver+environment agree)"
    assert (result.name, result.context_length) == ("Big", 8192)


def test_another_context_than_declared_is_told() -> None:
    scene = recorded("two-gpus-sched-spread")
    models = {"big": {"context": 16384}}
    (result,) = verdicts(declared(spec(models)), scene.snapshot(), resident(scene))
    assert result.verdict == "not_verified"
    assert result.summary == ("big on gpu1 is not as declared: it is loaded with context 8192, declared is 16384")
    larger = {"big": {"context": 4096}, "other": {"context": 8192}}  # the service has one context length
    assert verdicts(declared(spec(larger)), scene.snapshot(), resident(scene))[0].verdict == "verified"


def test_a_moved_tag_is_told() -> None:
    scene = recorded("two-gpus-sched-spread")
    snapshot = scene.snapshot()
    declared_digest = f"sha256:{'e' * 64}"
    models = {"big": {"digest": declared_digest}}
    (result,) = verdicts(declared(spec(models)), snapshot, resident(scene))
    assert result.verdict == "not_verified"
    assert "its digest is dddddddddddd, declared is eeeeeeeeeeee" in result.summary
    assert isinstance(snapshot.api, Known)
    api: Api = snapshot.api.value
    assert isinstance(api.models, Known)
    stored = tuple(replace(model, digest="e" * 64) for model in api.models.value)
    pulled = replace(snapshot, api=Known(replace(api, models=Known(stored, "tags")), "api"))
    (stale,) = verdicts(declared(spec(models)), pulled, resident(scene))
    assert "the tag was moved while it was loaded" in stale.summary


def test_a_model_that_is_not_loaded() -> None:
    scene = recorded("vk-baseline").but(loaded=(), running=False, name="big:latest")
    models = declared(spec({"big": {}}))
    (missing,) = verdicts(models, scene.snapshot(), answer(("decision:0", 0, "missing")))
    assert missing.verdict == "unknown"
    assert missing.summary == "big on gpu1 cannot be proven: it is not loaded (--load loads it for the proof)"
    evicting = answer(("decision:0", 0, "evicts big2:latest: it needs about 9000 MiB, 100 MiB are usable"))
    (refused,) = verdicts(models, scene.snapshot(), evicting)
    assert refused.verdict == "unknown"
    assert "loading it would evict big2:latest: it needs about 9000 MiB" in refused.summary
    (absent,) = verdicts(declared(spec({"gone": {}})), scene.snapshot(), answer(("decision:0", 0, "missing")))
    assert absent.verdict == "not_verified"
    assert absent.summary == "gone on gpu1 is not on the GPU: gone is not in the store"


def test_a_server_that_is_down_is_no_unknown() -> None:
    snapshot = recorded("vk-baseline").snapshot()
    assert isinstance(snapshot.api, Known)
    down = Absent("nothing listens on http://127.0.0.1:11434")
    stopped = replace(
        snapshot,
        api=Known(replace(snapshot.api.value, version=down, models=down, loaded=down), "http://127.0.0.1:11434"),
    )
    refused = answer(("ps:0", 7, "curl: (7) Failed to connect"), ("decision:0", 0, "unknown"))
    (result,) = verdicts(declared(spec({"moe": {}})), stopped, refused)
    assert result.verdict == "not_verified"
    assert result.summary == "moe on gpu1 is not on the GPU: nothing listens on http://127.0.0.1:11434"


def test_the_speed_is_told_in_any_case() -> None:
    scene = recorded("two-gpus-sched-spread")
    shown = f"\\nFROM {scene.path}"
    body = '{"done":true,"eval_count":32,"eval_duration":400000000}\n200'
    told = answer(("show:0", 0, shown), ("decision:0", 0, "resident load"), ("generate:0", 0, body))
    for least, verdict, says in ((None, "verified", "silent"), (70, "verified", "yes"), (90, "disagreement", "no")):
        models = {"big": {"min_tokens_per_second": least} if least else {}}
        (result,) = verdicts(declared(spec(models)), scene.snapshot(), told)
        assert (result.verdict, result.tokens_per_second) == (verdict, 80.0)
        assert result.testimonies[-1].says == says
        assert "80.0 tokens/s" in result.testimonies[-1].why


def test_two_answers_of_one_exec_are_told_apart() -> None:
    first, second = answer(("decision:0", 0, "resident")), "@@ongpu 1 ffff\n\n@@ffff end\n"
    loading, looking = divide(Answer("Welcome!\n" + first + second))
    assert first in loading.text
    assert looking.text == second
    cut, nothing = divide(Answer(first))
    assert cut.text == first
    assert nothing.failure


@settings(deadline=None)  # the machine may be busy
@given(st.text(), st.booleans())
def test_any_answer_gives_a_verdict_and_never_a_wrong_one(text: str, framed: bool) -> None:
    scene = recorded("vk-baseline").but(loaded=(), running=False)
    told = answer(("show:0", 0, text), ("decision:0", 0, text), ("generate:0", 0, text)) if framed else text
    (result,) = verdicts(declared(spec({"moe": {}})), scene.snapshot(), told)
    assert result.verdict in ("unknown", "not_verified")


def test_the_scripts_fit_into_one_exec() -> None:
    text = load_script(spec(MODELS), HostSnapshot.unreadable("not yet"), True) + script()
    assert text.count("exit 0") == 2
    assert text.startswith("(\n{ {\n")
