"""Inventories read without pyinfra say what pyinfra says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ongpu.errors import ConfigError, NothingToDo
from ongpu.fleet.options import Options
from ongpu.fleet.reading import inventory
from ongpu.fleet.reading.inventory import declared

INVENTORIES = {
    "plain": "hosts = ['gpu1', ('gpu2', {'ssh_user': 'ops'})]\n",
    "groups": (
        "_hidden = ['no']\nnumber = 7\nodd = [1, 2]\n"
        "h100 = (['gpu1', 'gpu2'], {'a': 'h100', 'b': 'h100'})\n"
        "edge = (['gpu2', ('gpu3', {'b': 'host'})], {'b': 'edge', 'c': 'edge'})\n"
    ),
    "everybody": "all = (['gpu2', 'gpu1'], {'a': 'all'})\ngpus = (['gpu1'], {'a': 'group'})\n"
    "more = [('gpu2', {'x': [1, {}]})]\n",
    "local": "hosts = ['@local', ('gpu1', {'_sudo': True})]\n",
    "empty_group": "nobody = []\nhosts = ['gpu1']\n",
}
_BOTH = """
import json, sys
from ongpu.fleet.reading.by_pyinfra import hosts_of
found = {file: hosts_of(file) for file in sys.argv[1:]}
print(json.dumps({file: [{**host, "groups": sorted(set(host["groups"]))} for host in found[file]] for file in found}))
"""


def test_the_same_hosts_groups_and_data(tmp_path: Path) -> None:
    files = []
    for name, text in INVENTORIES.items():
        (tmp_path / f"{name}.py").write_text(text)
        files.append(str(tmp_path / f"{name}.py"))
    done = subprocess.run([sys.executable, "-c", _BOTH, *files], capture_output=True, text=True, check=True, timeout=60)
    for file, theirs in json.loads(done.stdout).items():
        ours = [
            {"name": one.name, "connector": one.connector, "groups": sorted(set(one.groups)), "data": dict(one.data)}
            for one in declared(Options(inventory=file))
        ]
        assert ours == theirs, file


def test_group_data_and_other_connectors_are_left_to_pyinfra(tmp_path: Path) -> None:
    (tmp_path / "group_data").mkdir()
    (tmp_path / "group_data" / "gpus.py").write_text("ssh_user = 'from group_data'\n")
    (tmp_path / "inventory.py").write_text("gpus = ['gpu1', '@docker/box']\nprint('an inventory may print')\n")
    one, other = declared(Options(inventory=str(tmp_path / "inventory.py")))
    assert (one.name, one.connector, one.data["ssh_user"]) == ("gpu1", "ssh", "from group_data")
    assert other.connector not in ("ssh", "local")


def test_a_fleet_file_and_its_limit_and_shards(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(
        "version: 1\ndefaults: {ollama: {release: '0.32.15'}, ssh: {user: ops, sudo: true}}\n"
        "groups: {h100: {}}\nhosts:\n  'gpu[1:5]': {groups: [h100]}\n  '@local': {}\n"
    )
    file = str(tmp_path / "fleet.yaml")
    every = declared(Options(inventory=file))
    assert [one.connector for one in every] == ["ssh"] * 5 + ["local"]
    assert (every[0].data["ssh_user"], every[0].data["_sudo"], every[0].spec.name) == ("ops", True, "gpu1")
    assert len(declared(Options(inventory=file, limit=("h100",)))) == 5
    shards = [declared(Options(inventory=file, shard=(at, 4))) for at in (1, 2, 3, 4)]
    assert sorted(one.name for shard in shards for one in shard) == sorted(one.name for one in every)
    with pytest.raises(NothingToDo, match="shard 7 of 7 has no host"):
        declared(Options(inventory=file, shard=(7, 7)))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("raise SystemExit('fleet.yaml:3: hosts: wrong')", r"^fleet\.yaml:3: hosts: wrong$"),
        ("1/0", "cannot be read as a pyinfra inventory: division by zero"),
        ("hosts = [", "cannot be read as a pyinfra inventory"),
    ],
)
def test_what_is_wrong_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "inventory.py").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        declared(Options(inventory=str(tmp_path / "inventory.py")))


def test_an_inventory_that_is_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no nothing\.py here"):
        declared(Options(inventory="nothing.py"))
    (tmp_path / "inventory.py").write_text("hosts = []\n")
    with pytest.raises(NothingToDo):
        declared(Options(inventory=str(tmp_path / "inventory.py")))


def test_a_host_without_a_spec_says_so() -> None:
    host = inventory.Declared(name="gpu1", connector="ssh", groups=(), data={})
    with pytest.raises(ConfigError, match="gpu1 has no ongpu spec"):
        _ = host.spec
