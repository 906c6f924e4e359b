from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ongpu.errors import ConfigError, OngpuError
from ongpu.spec.load import load
from ongpu.spec.pyinfra_data import pyinfra_groups

GOOD = """\
version: 1
defaults:
  ssh: {user: ops, sudo: true}
  driver: {branch: "580"}
  ollama: {release: "0.32.15", env: {OLLAMA_FLASH_ATTENTION: true}}
  models:
    "llama3.1:8b": {context: 8192}
groups:
  big: {models: {"llama3.1:8b": null, "qwen3:32b": {}}}
hosts:
  "gpu[08:11]": {groups: [big]}
  gpu10: {skip: "no power"}
  gpu11: {service: {drain: 1h30m}}
  alone: {driver: {manage: false}}
"""


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "fleet.yaml").write_text(text)
    return tmp_path


def test_hosts_are_merged_in_order_and_ranges_refined(tmp_path: Path) -> None:
    fleet = load(write(tmp_path, GOOD))
    hosts = {host.name: host for host in fleet.hosts}
    assert list(hosts) == ["gpu08", "gpu09", "gpu11", "alone"]
    assert fleet.skipped == {"gpu10": "no power"}
    assert list(hosts["gpu08"].models) == ["qwen3:32b"]
    assert list(hosts["alone"].models) == ["llama3.1:8b"]
    assert hosts["gpu11"].service.drain.total_seconds() == 5400
    assert hosts["gpu11"].groups == ["big"]
    assert hosts["gpu08"].ollama.env == {"OLLAMA_FLASH_ATTENTION": "1"}


def test_pyinfra_gets_groups_and_always_checks_host_keys(tmp_path: Path) -> None:
    groups = pyinfra_groups(load(write(tmp_path, GOOD)))
    assert [name for name, _ in groups["big"]] == ["gpu08", "gpu09", "gpu11"]
    data = groups["hosts"][0][1]
    assert (data["ssh_user"], data["_sudo"], data["ssh_strict_host_key_checking"]) == ("ops", True, "yes")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('branch: "580"', 'branhc: "580"', ":4: defaults.driver.branhc: unknown key; did you mean branch?"),
        (
            'branch: "580"',
            "branch: 580.10",
            ":4: defaults.driver.branch: 580.1 is read as a number and may lose digits",
        ),
        ("[big]", "[bigg]", ":11: hosts.gpu[08:11].groups: there is no group 'bigg'; did you mean big?"),
        ("OLLAMA_FLASH_ATTENTION: true", "OLLAMA_FLASH_ATENTION: true", "did you mean OLLAMA_FLASH_ATTENTION?"),
        ("OLLAMA_FLASH_ATTENTION: true", "OLLAMA_FLASH_ATTENTION: maybe", "would mean true to Ollama"),
        ("OLLAMA_FLASH_ATTENTION: true", "CUDA_VISIBLE_DEVICES: 0", "use `ollama.gpus`"),
        ("drain: 1h30m", "drain: soon", ":13: hosts.gpu11.service.drain: 'soon' is not a duration"),
        ("drain: 1h30m", "window: always", "is not a window such as"),
        ("version: 1", "version: 2", ":1: version: 2 is not 1"),
        ("  alone:", "  gpu11:", ":14: hosts.gpu11: given twice; first in line 13"),
        ("hosts:", "host:", ":10: host: unknown key; did you mean hosts?"),
        ('"0.32.15"', "latest", "'latest' is not a version"),
        ("manage: false", "manage: [", "not YAML"),
        ("{manage: false}", "{modules: closed}", "'closed' is not one of 'auto', 'open' or 'proprietary'"),
    ],
)
def test_errors_are_one_sentence_with_file_and_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, GOOD.replace(old, new)))
    assert says in str(caught.value)
    assert all("fleet.yaml:" in line for line in str(caught.value).split("\n"))


def test_all_errors_are_told_at_once_and_each_only_once(tmp_path: Path) -> None:
    text = GOOD.replace('branch: "580"', 'branhc: "580"').replace("drain: 1h30m", "drain: soon")
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert len(str(caught.value).split("\n")) == 2


@pytest.mark.parametrize(
    "text", ["", "hosts: {}\n", "version: 1\n", "- a\n", "hosts:\n\tx: 1\n", "\ufeff", "a: &x [*x]\n"]
)
def test_an_empty_or_broken_file_is_never_a_fleet(tmp_path: Path, text: str) -> None:
    with pytest.raises(OngpuError):
        load(write(tmp_path, text))


def test_a_host_in_two_files_names_both(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "more.yaml").write_text("hosts:\n  alone: {}\n")
    with pytest.raises(ConfigError, match=r"more.yaml:2: hosts.alone: also given in .*fleet.yaml:14"):
        load(tmp_path)


def test_a_missing_lab_key_says_what_to_do(tmp_path: Path) -> None:
    text = GOOD.replace('{branch: "580"}', '{branch: "580", repository: {key: .lab/key.asc}}')
    with pytest.raises(ConfigError, match="run `ongpu lab up`"):
        load(write(tmp_path, text))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.text() | st.text(alphabet="ab: {}[]-\n'\"&*!|>#1,"))
def test_any_text_is_a_fleet_or_an_error_of_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "fleet.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
    with contextlib.suppress(OngpuError):
        load(tmp_path)


def test_the_shipped_fleet_is_what_its_comments_say(tmp_path: Path) -> None:
    top = Path(__file__).resolve().parent.parent.parent
    text = (top / "inventory" / "fleet.yaml").read_text()
    (tmp_path / "inventory").mkdir()
    (tmp_path / ".lab").mkdir()
    (tmp_path / ".lab" / "nvidia-key.asc").write_text("-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
    (tmp_path / "inventory" / "fleet.yaml").write_text(text)
    fleet = load(tmp_path / "inventory")
    assert [host.name for host in fleet.hosts] == ["lab1", "lab2", "lab3"]
    assert fleet.hosts[0].ssh.config == str(tmp_path / ".lab" / "ssh_config")
    assert "BEGIN PGP" in (fleet.hosts[0].driver.repository.key_text or "")
    comment = [line[4:] for line in text.split("\n") if line.startswith("#   ")]
    (tmp_path / "own.yaml").write_text("\n".join(comment))
    assert len(load(tmp_path / "own.yaml").hosts) == 39


def test_a_releases_directory_is_found_beside_the_file(tmp_path: Path) -> None:
    text = 'releases: {ollama: {"0.32.15": {from: ./mirror}}}\ndefaults: {ollama: {release: "0.32.15"}}\nhosts: {a: {}}'
    (tmp_path / "fleet.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"releases.ollama.0.32.15.from: there is no directory .*/mirror"):
        load(tmp_path)
    (tmp_path / "mirror").mkdir()
    (host,) = load(tmp_path).hosts
    assert host.releases.ollama["0.32.15"].from_ == str(tmp_path.resolve() / "mirror")
    (tmp_path / "fleet.yaml").write_text(text.replace("./mirror", "ftp://mirror"))
    with pytest.raises(ConfigError, match="is neither a URL nor a directory of this machine"):
        load(tmp_path)
