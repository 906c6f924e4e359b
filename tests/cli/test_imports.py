"""A verb loads only what it needs: half a second for pyinfra and gevent is too much for cron and for `--version`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PYINFRA = {"pyinfra", "pyinfra_cli", "paramiko", "gevent", "invoke"}
SSH = {"asyncssh", "asyncio"}
REPORTS = {"jinja2", "rich"}  # drift needs jinja2: the plan renders files
SPEC = {"pydantic", "yaml"}
_RUN = """
import json, sys
from click.testing import CliRunner
before = set(sys.modules)  # Python 3.14's pdb, which the runner loads, brings asyncio
from ongpu.cli.main import cli
result = CliRunner().invoke(cli, json.loads(sys.argv[1]), standalone_mode=True)
loaded = sorted({name.split(".")[0] for name in set(sys.modules) - before})
print(json.dumps([result.exit_code, result.output[-500:], loaded]))
"""


@pytest.mark.parametrize(
    ("words", "not_loaded"),
    [
        (["--version"], PYINFRA | SSH | REPORTS | SPEC | {"sqlite3"}),
        (["--help"], PYINFRA | SSH | REPORTS | SPEC | {"sqlite3"}),
        (["rules"], PYINFRA | SSH | REPORTS | {"sqlite3"}),
        (["snapshot", "--script"], PYINFRA | SSH | REPORTS),
        (["diagnose", "--from", "evidence.txt"], PYINFRA | SSH | REPORTS),
        (["drift", "-i", "fleet.yaml", "--history", "."], PYINFRA | {"rich"}),
        (["drift", "-i", "inventory.py", "--history", "."], PYINFRA | {"rich"}),
        (["diagnose", "-i", "fleet.yaml"], PYINFRA | REPORTS),
        (["snapshot", "-i", "fleet.yaml", "gpu01"], PYINFRA | REPORTS),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_verb_does_not_load(words: list[str], not_loaded: set[str], tmp_path: Path) -> None:
    """Run to the end, on a fleet whose only host refuses the connection."""
    (tmp_path / "fleet.yaml").write_text(
        "version: 1\ndefaults: {ollama: {release: '0.32.15'}}\n"
        "hosts: {gpu01: {ssh: {hostname: 127.0.0.1, port: 1, known_hosts: known_hosts}}}\n"
    )
    (tmp_path / "inventory.py").write_text(
        "from ongpu.spec.load import load\nfrom ongpu.spec.pyinfra_data import pyinfra_groups\n"
        "globals().update(pyinfra_groups(load('fleet.yaml')))\n"
    )
    (tmp_path / "evidence.txt").write_text("load_tensors: offloaded 33/33 layers to GPU\n")
    done = subprocess.run(
        [sys.executable, "-c", _RUN, json.dumps(words)], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    code, output, loaded = json.loads(done.stdout)
    assert code in (0, 3), output
    assert set(loaded) & not_loaded == set()
