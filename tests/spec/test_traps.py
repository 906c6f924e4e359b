"""What YAML, a slip of the keyboard or malice can do to an inventory."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ongpu.errors import ConfigError, NothingToDo, OngpuError
from ongpu.spec.fleet import Fleet
from ongpu.spec.load import load
from ongpu.spec.merge import expand

BASE = 'defaults: {ollama: {release: "0.32.15"}}\n'


def loaded(tmp_path: Path, text: str | bytes) -> Fleet:
    raw = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "fleet.yaml").write_bytes(raw)
    return load(tmp_path)


def refused(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert all("fleet.yaml:" in line for line in str(caught.value).split("\n"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("ssh: {sudo: yes}", "hosts.a.ssh.sudo: yes is read as true; write true"),
        ("driver: {manage: off}", "hosts.a.driver.manage: off is read as false; write false"),
        ("ssh: {user: on}", "hosts.a.ssh.user: on is read as true"),
        ("ssh: {port: 0102}", "hosts.a.ssh.port: 0102 is read as the number 66; write 66"),
        ("service: {drain: 1:30}", "hosts.a.service.drain: 1:30 is read as the number 90"),
        ("ssh: {port: 2_2}", "hosts.a.ssh.port: 2_2 is read as the number 22"),
        ("driver: {branch: 580.1}", '580.1 is read as a number and may lose digits; put it in quotes: "580.1"'),
        ("driver: {branch: 580}", 'put it in quotes: "580"'),
        ("models: {m: {min_tokens_per_second: .inf}}", ".inf is read as the number inf"),
        ("models: {m: {min_tokens_per_second: .nan}}", ".nan is read as the number nan"),
        ("ollama: {env: {OLLAMA_FLASH_ATTENTION: off}}", "off is read as false"),
        ("ollama: {env: {OLLAMA_NUM_PARALLEL: four}}", "'four' is not a whole number"),
        ("ollama: {env: {OLLAMA_GPU_OVERHEAD: 1GiB}}", "'1GiB' is not a whole number"),
        ("ollama: {env: {OLLAMA_KEEP_ALIVE: forever}}", "'forever' is not a duration"),
        ("ollama: {env: {OLLAMA_NEW_ENGINE: true}}", "Ollama removed it in 0.30.0"),
        ('ollama: {env: {A: "x\\ny"}}', "A holds a line break"),
        ("ollama: {gpus: [0]}", "use its UUID (GPU-...) or PCI address, not an index"),
        ("ollama: {models_dir: models}", "'models' is not an absolute path"),
        ("ollama: {listen: 11434}", "put it in quotes"),
        ('ollama: {listen: "0.0.0.0"}', "is not address:port"),
        ('driver: {repository: {url: "https://x/ y"}}', "is not a URL"),
        ("driver: {repository: {key_fingerprint: abc}}", "is not the 40 hexadecimal digits"),
        ("driver: {repository: {key_text: x}}", "driver.repository.key_text: unknown key; did you mean key?"),
        ("driver: {branch: newest}", "'newest' is not a version"),
        ("driver: 580", "hosts.a.driver: expected keys and values, got 580"),
        ("models: [m]", "hosts.a.models: expected keys and values"),
        ("name: b", "hosts.a.name: unknown key; a host's name is its key"),
        ("rollout: {max_failures: 1}", "hosts.a.rollout: belongs at the top of the file"),
        ("groups: [[x]]", "hosts.a.groups: expected a list of names"),
        ("groups: x", "hosts.a.groups: expected a list of names"),
        ("skip: true", "hosts.a.skip: give the reason"),
        ("skip: {}", "hosts.a.skip: give the reason"),
        ("modles: {}", "hosts.a.modles: unknown key; did you mean models?"),
    ],
)
def test_traps_are_errors_with_a_way_out(tmp_path: Path, entry: str, says: str) -> None:
    assert says in refused(tmp_path, f"{BASE}hosts:\n  a:\n    {entry}\n")
    assert ":4:" in refused(tmp_path, f"{BASE}hosts:\n  a:\n    {entry}\n")


def test_what_belongs_to_a_host_is_told_so_elsewhere(tmp_path: Path) -> None:
    assert "fleet.yaml:1: defaults.groups: belongs to a host" in refused(
        tmp_path, "defaults: {groups: [x]}\nhosts: {a: {}}"
    )
    text = f"{BASE}groups: {{g: {{skip: x}}}}\nhosts: {{a: {{}}}}"
    assert "fleet.yaml:2: groups.g.skip: belongs to a host" in refused(tmp_path, text)


def test_dates_and_quoted_words_are_text(tmp_path: Path) -> None:
    fleet = loaded(tmp_path, f'{BASE}hosts: {{a: {{skip: 2026-12-01}}, b: {{ssh: {{user: "on"}}}}, "on": {{}}}}')
    assert fleet.skipped == {"a": "2026-12-01"}
    assert [(host.name, host.ssh.user) for host in fleet.hosts] == [("b", "on"), ("on", None)]


def test_null_removes_in_every_layer(tmp_path: Path) -> None:
    text = """\
defaults: {ollama: {release: "0.32.15"}, models: {one: {}, two: {}}, ssh: {user: ops}}
groups: {g: {models: {one: null, three: {}}, ssh: null}}
hosts:
  "a[1:3]": {groups: [g], models: {three: null}}
  a2: {models: {two: null}}
  a3: {groups: null, service: {drain: 1m}}
"""
    fleet = loaded(tmp_path, text)
    assert {host.name: sorted(host.models) for host in fleet.hosts} == {"a1": ["two"], "a2": [], "a3": ["one", "two"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('models:\n  "llama3.2:3b":', ":3: defaults.models.llama3.2:3b: is empty (null)"),
        ("models: {m: {context: }}", ":2: defaults.models.m.context: is empty (null)"),
        ("models:", ":2: defaults.models: is empty (null)"),
    ],
)
def test_null_that_removes_nothing_is_an_error(tmp_path: Path, text: str, says: str) -> None:
    body = "".join(f"  {line}\n" for line in text.split("\n"))
    found = refused(tmp_path, f'defaults:\n{body}  ollama: {{release: "0.32.15"}}\nhosts: {{a: {{}}, b: {{}}}}\n')
    assert says in found
    assert "\n" not in found
    assert ("write {} for a model without settings" in found) == ("llama" in text)


def test_null_in_a_group_may_remove_from_some_hosts_only(tmp_path: Path) -> None:
    text = "groups: {one: {models: {m: {}}}, bare: {models: {m: null}}}\n"
    text += "hosts: {a: {groups: [one, bare]}, b: {groups: [bare]}}"
    assert [dict(host.models) for host in loaded(tmp_path, BASE + text).hosts] == [{}, {}]
    alone = text.replace("[one, bare]", "[bare]")
    assert "fleet.yaml:2: groups.bare.models.m: is empty (null)" in refused(tmp_path, BASE + alone)


@pytest.mark.parametrize(
    ("gpus", "says"),
    [
        ("[0, 1]", "0 does not name a GPU for good"),
        ("[GPU-1]", "'GPU-1' does not name a GPU for good"),
        ("some", "'some' is neither `all` nor a list of GPU UUIDs or PCI addresses"),
        ("[]", "an empty list would hide all GPUs"),
    ],
)
def test_bad_gpus_are_one_sentence(tmp_path: Path, gpus: str, says: str) -> None:
    found = refused(tmp_path, f"{BASE}hosts:\n  a:\n    ollama: {{gpus: {gpus}}}\n")
    assert f"fleet.yaml:4: hosts.a.ollama.gpus: {says}" in found
    assert "\n" not in found


def test_ranges_that_are_none(tmp_path: Path) -> None:
    for key in ('"a[1-3]"', '"a[3:1]"', '"a b"', '""', '"a[1:999999]"', '"[1:50000][1:50000]"'):
        started = time.monotonic()
        assert "fleet.yaml:2:" in refused(tmp_path, f"{BASE}hosts: {{{key}: {{}}}}")
        assert time.monotonic() - started < 1
    many = "".join(f'  "h{i}-[1:99999]": {{}}\n' for i in range(20))
    assert "more than 100,000 hosts" in refused(tmp_path, f"{BASE}hosts:\n{many}")


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(0, 40), st.integers(1, 4))
def test_a_range_has_each_number_once_at_its_width(first: int, more: int, width: int) -> None:
    names = expand(f"x[{first:0{width}d}:{first + more}]y")
    assert [int(name[1:-1]) for name in names] == list(range(first, first + more + 1))
    assert all(len(name) >= width + 2 for name in names)


def test_two_ranges_make_every_pair() -> None:
    assert expand("r[1:2]-n[01:02]") == ["r1-n01", "r1-n02", "r2-n01", "r2-n02"]


def test_aliases_and_merge_keys_are_named_with_their_line(tmp_path: Path) -> None:
    bomb = "a: &a [x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(3)) + "hosts: {}\n"
    assert ":2: aliases (*name) are not supported" in refused(tmp_path, bomb)
    assert "<<: unknown key" in refused(tmp_path, f"{BASE}hosts: {{a: {{<<: {{ssh: {{}}}}}}}}")


@pytest.mark.parametrize("depth", [40, 5000])
def test_nesting_without_end_is_refused(tmp_path: Path, depth: int) -> None:
    assert "nested more than 32 levels deep" in refused(tmp_path, "a: " + "[" * depth + "]" * depth)


def test_other_encodings_and_sizes(tmp_path: Path) -> None:
    assert "fleet.yaml:2: not UTF-8 text" in refused(tmp_path, BASE.encode() + b"hosts: {\xff: {}}")
    assert "not UTF-8" in refused(tmp_path, (BASE + "hosts: {a: {}}").encode("utf-16"))
    assert len(loaded(tmp_path, b"\xef\xbb\xbf" + (BASE + "hosts: {a: {}}").encode()).hosts) == 1
    with pytest.raises(ConfigError, match="is larger than"):
        loaded(tmp_path, b"#" * (5 * 1024 * 1024))
    assert "not YAML" in refused(tmp_path, "a: \x00")


def test_nobody_at_home(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    for text in ("hosts: {}", "version: 1", "hosts:\n"):
        with pytest.raises(NothingToDo, match="no host is declared"):
            loaded(tmp_path, text)
    with pytest.raises(ConfigError, match=r"there is no \.yaml file"):
        load(tmp_path / "nothing")


def test_a_host_without_a_release_says_which_key_is_missing(tmp_path: Path) -> None:
    assert "fleet.yaml:1: hosts.a.ollama: is missing" in refused(tmp_path, "hosts: {a: {}}")
    assert "hosts.a.ollama.release: is missing" in refused(tmp_path, "hosts: {a: {ollama: {manage: false}}}")


def test_release_checksums(tmp_path: Path) -> None:
    good = f'{BASE}releases: {{ollama: {{"0.32.15": {{amd64: "sha256:{"a" * 64}", from: https://m.example/o/}}}}}}\n'
    (host,) = loaded(tmp_path, good + "hosts: {a: {}}").hosts
    assert host.releases.ollama["0.32.15"].amd64 == "sha256:" + "a" * 64
    for old, new, says in [
        ("sha256:", "", "is not sha256: followed by 64 hexadecimal digits"),
        ("https://m.example/o/", "ftp://x", "is neither a URL nor a directory"),
        ("amd64", "amd46", "fleet.yaml:2: releases.ollama.0.32.15.amd46: unknown key; did you mean amd64?"),
    ]:
        assert says in refused(tmp_path, good.replace(old, new, 1) + "hosts: {a: {}}")


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(
    ["580", "0.32.15", "10m", "5%", "~nobody/x", "a\0b", "GPU-1", "all", "sha256:", "127.0.0.1:11434"]
)  # fmt: skip
keys = st.sampled_from(
    [
        "version",
        "defaults",
        "groups",
        "hosts",
        "releases",
        "rollout",
        "ssh",
        "driver",
        "ollama",
        "service",
        "models",
        "expect",
        "skip",
        "name",
        "origin",
        "key",
        "repository",
        "key_text",
        "url",
        "release",
        "branch",
        "env",
        "gpus",
        "listen",
        "window",
        "drain",
        "canary",
        "batches",
        "a[1:3]",
        "a1",
        "a",
        "b",
        "g",
        "user",
        "port",
        "context",
        "parallel",
        "OLLAMA_DEBUG",
        "manage",
        "from",
        "amd64",
        "0.32.15",
        "<<",
        "config",
        "known_hosts",
    ]
) | st.text(max_size=5)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5), max_leaves=25
)
top = st.sampled_from(["version", "defaults", "groups", "hosts", "releases", "rollout"])
layers = st.dictionaries(keys, values, max_size=4)
documents = st.fixed_dictionaries(
    {"hosts": st.dictionaries(keys, layers, min_size=1, max_size=3)},
    optional={
        "defaults": layers,
        "groups": st.dictionaries(keys, layers, max_size=3),
        "releases": values,
        "rollout": values,
        "version": scalars,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(documents | st.dictionaries(top, values))
def test_any_tree_is_a_fleet_or_an_error_of_ours(tmp_path: Path, document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document, allow_unicode=True)
    with contextlib.suppress(OngpuError):
        fleet = loaded(tmp_path, text.encode("utf-8", "surrogatepass"))
        assert fleet.hosts or fleet.skipped
