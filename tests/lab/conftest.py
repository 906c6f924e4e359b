"""One private lab for all lab tests, and a blank host for each.

`ONGPU_LAB_DIR=DIR pytest -m lab` uses the lab in DIR, starts it if needed and leaves it up: for development.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from ongpu_lab import faults, layout
from ongpu_lab.lab import Lab
from tests.lab.fleets import Controller
from tests.lab.machines import Host


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`ONGPU_LAB_SHARE=N`: of the many rounds of staged causes, and of the driver's lives that are killed, every Nth,
    other ones each day."""
    share = int(os.environ.get("ONGPU_LAB_SHARE", "1"))
    rounds = [
        item
        for item in items
        if (item.path.name == "test_fix.py" and hasattr(item, "callspec")) or item.path.name == "test_killed_between.py"
    ]
    left = [item for number, item in enumerate(rounds) if (number + date.today().toordinal()) % share]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@contextmanager
def booted(name: str, factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of this layout, gone at the end; with ONGPU_LAB_DIR that one, which stays."""
    kept = os.environ.get("ONGPU_LAB_DIR")
    one = Lab(kept or factory.mktemp("lab") / "dir", say=lambda text: print(f"lab: {text}", file=sys.stderr))
    try:
        one.up(layout.load(name))
        yield one
    finally:
        if not kept:
            one.down()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with booted("default", tmp_path_factory) as one:
        yield one


@pytest.fixture
def blank(lab: Lab) -> Iterator[Callable[..., list[Host]]]:
    """`blank("lab1", "lab2")`: these hosts, as they are before anybody has configured them; no fault in the lab."""
    hosts: list[Host] = []

    def make(*names: str) -> list[Host]:
        faults.clear(lab, host="")
        hosts.extend(Host(lab, name) for name in names)
        for host in hosts:
            host.reset()
        return hosts

    yield make
    for name, where in faults.active(lab):
        if not where:
            faults.clear(lab, name)


@pytest.fixture
def host(blank: Callable[..., list[Host]]) -> Host:
    """A blank Debian 12 server with one 8 GB GPU."""
    return blank("lab1")[0]


@pytest.fixture(params=["lab1", "lab2"], ids=["bookworm", "trixie"])
def each_host(request: pytest.FixtureRequest, blank: Callable[..., list[Host]]) -> Host:
    """The same on Debian 12 and Debian 13."""
    return blank(request.param)[0]


def fleet_file(lab: Lab, place: Path, fleet: Mapping[str, Any]) -> Path:
    """A fleet file below `place` that leads into the lab; `fleet` is what fleet.yaml holds, `defaults.ssh` and the
    lab's package key are added."""
    defaults = dict(fleet.get("defaults", {}))
    config, known = str(lab.dir / "ssh_config"), str(lab.dir / "known_hosts")
    defaults["ssh"] = {
        "user": "ops",
        "sudo": True,
        "config": config,
        "known_hosts": known,
        **defaults.get("ssh", {}),
    }
    driver = dict(defaults.get("driver", {}))
    driver["repository"] = {"key": str(lab.dir / "nvidia-key.asc"), **driver.get("repository", {})}
    file = place / "inventory" / "fleet.yaml"
    file.parent.mkdir(exist_ok=True)
    data = {"version": 1, **fleet, "defaults": {**defaults, "driver": driver}}
    file.write_text(yaml.safe_dump(json.loads(json.dumps(data))))  # no anchors for what tests share
    return file


@pytest.fixture
def inventory(lab: Lab, tmp_path: Path) -> Callable[[Mapping[str, Any]], Path]:
    """`inventory(fleet)` writes a fleet file that leads into the lab and gives its path."""
    return lambda fleet: fleet_file(lab, tmp_path, fleet)


@pytest.fixture
def controller(inventory: Callable[[Mapping[str, Any]], Path]) -> Callable[[Mapping[str, Any]], Controller]:
    """`controller(fleet)`: both ways in, on that fleet."""
    return lambda declared: Controller(inventory(declared))


@pytest.fixture
def ongpu() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`ongpu("plan", "-i", ...)`: the command as an operator runs it; exit code unchecked."""

    def run(*words: str, timeout: float = 600, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("ongpu")), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={**os.environ, **environment},
        )

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what its hosts said."""
    report = yield
    if report.failed and call.when in ("setup", "call") and isinstance(item, pytest.Function):
        lab = item.funcargs.get("lab")
        if isinstance(lab, Lab):
            for name in (host.name for host in lab.state().layout.hosts):
                report.sections.append((f"lab host {name}", Host(lab, name).evidence()))
            for log in ("lab.log", "access.log"):
                if (file := lab.dir / log).exists():
                    report.sections.append((log, file.read_text(errors="replace")[-4000:]))
    return report
