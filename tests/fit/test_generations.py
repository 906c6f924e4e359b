"""What older releases do otherwise, and what a model's attention needs where there is a kernel for it and where not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ongpu.fit.cache import state_of_layer
from ongpu.fit.compute import Work
from ongpu.fit.facts import Facts, facts_of
from ongpu.fit.placement import HOST
from ongpu.fit.settings import MIB, PLANNERS, Settings
from ongpu.fit.split import by_count, by_share

OWN_RUNNER = PLANNERS[-1]


def facts(arch: str, **keys: int) -> Facts:
    return facts_of({"general.architecture": arch} | {f"{arch}.{name.replace('__', '.')}": keys[name] for name in keys})


# DeepSeek V2 Lite as it is converted now: latent attention.
LITE = facts(
    "deepseek2",
    block_count=27,
    embedding_length=2048,
    feed_forward_length=10944,
    vocab_size=102400,
    expert_count=64,
    expert_used_count=6,
    expert_feed_forward_length=1408,
    attention__head_count=16,
    attention__head_count_kv=1,
    attention__key_length=576,
    attention__value_length=512,
    attention__kv_lora_rank=512,
    attention__key_length_mla=192,
    attention__value_length_mla=128,
    rope__dimension_count=64,
)


def test_the_output_was_the_last_to_lie_on_a_gpu() -> None:
    """A real load: `offloaded 45/65 layers`, and the weights of 45 repeating layers."""
    assert by_share(64, 45, (1,)).count(HOST) == by_share(64, 45, (1,), output_first=False).count(HOST) == 20
    assert by_share(64, 45, (1,))[-1] == 0
    older = by_share(64, 45, (1,), output_first=False)
    assert (older[-1], older[19], older[18]) == (HOST, 0, HOST)
    assert HOST not in by_share(64, 65, (1,), output_first=False)
    assert by_count(4, [1, 2], output_first=False) == (HOST, 0, 1, 1, HOST)
    assert by_count(4, [2, 3], output_first=False) == (0, 0, 1, 1, 1)


def test_ollamas_own_runner_kept_the_state_of_a_delta_rule_many_times() -> None:
    """A real load of a Qwen3-Next on 0.20 printed 955.2 MiB for layers 28 to 47: five with attention."""
    sizes = {"ssm__conv_kernel": 4, "ssm__inner_size": 4096, "ssm__group_count": 16, "ssm__state_size": 128}
    model = facts(
        "qwen3next",
        block_count=48,
        embedding_length=2048,
        attention__head_count=16,
        attention__head_count_kv=2,
        **sizes,
    )
    now = Settings(num_ctx=32768)
    old = replace(now, planner=OWN_RUNNER)
    assert state_of_layer(model, old, 28) == 25 * state_of_layer(model, now, 28)
    attention = 5 * 32768 * 2 * 544
    assert (15 * state_of_layer(model, old, 28) + attention) / MIB == pytest.approx(955.2, rel=0.001)


def test_latent_attention_copies_a_quantised_cache() -> None:
    plain = Settings(num_ctx=32768, batch=1024)
    quantised = replace(plain, type_k="q8_0", type_v="q8_0")
    copy = Work.of(LITE, quantised).attention() - Work.of(LITE, plain).attention()
    assert copy == 2 * 32768 * (576 + 512)


def test_attention_that_no_kernel_takes_is_the_cpus() -> None:
    old = replace(LITE, mla=None, dk=192, dv=128, kv_heads=(16,) * 27)
    quantised = Settings(num_ctx=8192, type_k="q8_0", type_v="q8_0")
    assert Work.of(old, quantised).attends_on_host
    assert not Work.of(LITE, quantised).attends_on_host
    assert not Work.of(old, replace(quantised, type_k="f16", type_v="f16")).attends_on_host, "without flash attention"
    assert Work.of(old, quantised).device() < Work.of(old, replace(quantised, type_k="f16", type_v="f16")).device()
