"""Runs a plan's steps against stand-ins and writes down what they would have done to the host."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import tempfile
from pathlib import Path

from ongpu.host import paths
from ongpu.host.reading import Absent, Known, Reading
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.system import ManagedFile, ManagedFiles, Package, Packages
from ongpu.plan.build import plan
from ongpu.plan.driver_state import in_branch
from ongpu.plan.types import Change, Limits, Now, Plan, Put, Run
from ongpu.spec.model import HostSpec
from tests.plan.builders import KEY, TUESDAY, spec
from tests.plan.choice.cards import gpus
from tests.plan.golden import programs
from tests.plan.golden.cases import LIKE, PLANS, REFUSALS, Case
from tests.plan.world import World

PLACE = Path(__file__).with_name("plans")
# Options that are the same in every call.
SHORT = {
    "apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o APT::Update::Error-Mode=any "
    "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold": "apt-get ...",
    "curl --fail --location --globoff --silent --show-error --retry 3 --retry-delay 1 --connect-timeout 10 "
    "--speed-limit 1024 --speed-time 60 --continue-at -": "curl ...",
    " --write-out '%{http_code}'": "",
    "zypper --non-interactive --no-color": "zypper ...",
}
SHOWN = ("prerequisites", "repository", "driver")


def write() -> None:
    for name in PLANS:
        (PLACE / f"{name}.txt").write_text(text_of(name), encoding="utf-8")
    (PLACE / "refusals.txt").write_text(refusals(), encoding="utf-8")


def refusals() -> str:
    lines = ["# What is refused, and the sentence that the operator reads.", ""]
    for name, case in REFUSALS.items():
        todo = _plan(case, _declared(case), _snapshot(case))
        lines += [name, *(f"  {why}" for why in sorted({b.why for b in todo.blocked if b.resource in SHOWN[1:]})), ""]
    return "\n".join(lines)


def text_of(name: str) -> str:
    """Two looks: a blank host, and the same host once the repository is there."""
    case = PLANS[name]
    first = _plan(case, _declared(case), _snapshot(case))
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(Path(place), case)
        parts = [_head(case)]
        parts += [bench.record(change) for change in first.changes if change.resource in SHOWN]
        second = _plan(case, *second_look(case))
        parts += [bench.record(change) for change in second.of("driver").changes]
        assert not second.of("repository").changes, second.of("repository")
    return "\n".join(parts)


def second_look(case: Case) -> tuple[HostSpec, HostSnapshot]:
    """The blank host once the repository is there. The key itself is not at hand here: one of ours stands for it."""
    known = _declared(case, key=True)
    files = {step.path: step.content for change in _plan(case, known, _snapshot(case)).of("repository").changes
             for step in change.steps if isinstance(step, Put)}  # fmt: skip
    return known, _snapshot(case, files)


def _declared(case: Case, *, key: bool = False) -> HostSpec:
    repository = {"url": None, "key": None, "key_text": None, **case.driver.get("repository", {})}
    if key:
        repository |= {"key": "key.asc", "key_text": KEY, "key_fingerprint": None}
    return spec(driver={**case.driver, "repository": repository}, ollama={"release": case.release}, models={})


def _plan(case: Case, declared: HostSpec, snapshot: HostSnapshot) -> Plan:
    return plan(declared, snapshot, Now(TUESDAY), Limits())


def _snapshot(case: Case, files: dict[str, str] | None = None) -> HostSnapshot:
    world = World(arch=case.arch, kernel=case.uname, gpus=gpus(*case.gpus), tools=set(), virtualization="none")
    blank = world.snapshot()
    assert isinstance(blank.system, Known)
    system = dataclasses.replace(
        blank.system.value,
        os_id=case.os[0],
        os_version=case.os[1],
        os_name=case.pretty,
        os_like=LIKE.get(case.os[0], ()),
    )
    installed = tuple(Package(name=n, version=v, status="ii", held=False) for n, v in case.packages.items())
    manager = "apt" if case.os[0] in ("debian", "ubuntu") else "dnf"
    offers = _offers(case, files is not None)
    packages = Packages(manager=manager, installed=installed, candidates=offers, sources=case.sources, broken=())
    managed = {path: _file(path, (files or {}).get(path)) for path in paths.MANAGED}
    return dataclasses.replace(
        blank,
        system=Known(system, "test"),
        packages=Known(packages, "test"),
        files=Known(ManagedFiles(files=managed), "test"),
    )


def _offers(case: Case, listed: bool) -> dict[str, str]:
    """Candidates: the newest of the declared branch, which our pin leaves."""
    if not listed:
        return {}
    branch = case.driver.get("branch", "580")
    fitting = [version for version in case.offered() if branch == "auto" or in_branch(version, branch)]
    return {name: case.package_version(fitting[-1]) for name in programs.DRIVER_PACKAGES} if fitting else {}


def _file(path: str, content: str | None) -> Reading[ManagedFile]:
    if content is None:
        return Absent(f"no {path}")
    world = World(files={path: (content, "0644")})
    return world._file(path)


def _head(case: Case) -> str:
    words = ", ".join(f"{name}: {value}" for name, value in case.driver.items() if name != "repository")
    return (
        f"# {case.pretty}, {case.uname}, {' and '.join(case.gpus)}, Ollama {case.release}; "
        f"driver: {{{words or 'as by default'}}}\n"
    )


class Bench:
    """A place with stand-ins for the host's programs."""

    def __init__(self, place: Path, case: Case) -> None:
        self.place, self.case = place, case
        programs.install(place, case)

    def record(self, change: Change) -> str:
        lines = [f"== {change.resource}: {change.summary}", ""]
        for step in change.steps:
            match step:
                case Put():
                    lines += [f"write {step.path}", *_shown(step.content), ""]
                case Run():
                    lines += [f"# {step.what}", *self._run(step), ""]
                case _:
                    lines += [str(step), ""]
        return "\n".join(lines)

    def _run(self, step: Run) -> list[str]:
        calls = self.place / "calls"
        calls.write_text("")
        text = self._moved(step.stdin or "")
        command = ["sh", "-s"] if step.stdin is not None else ["sh", "-c", self._moved(step.command)]
        done = subprocess.run(
            command, input=text, text=True, capture_output=True, check=False, cwd=self.place,
            env={"PATH": f"{self.place}/programs:{os.environ['PATH']}", "LC_ALL": "C", "PLACE": str(self.place)},
        )  # fmt: skip
        assert done.returncode == 0, f"{step.what}: {done.stdout}{done.stderr}"
        lines = [line.replace(str(self.place), "") for line in calls.read_text().splitlines()]
        for long, short in SHORT.items():
            lines = [line.replace(long, short) for line in lines]
        return lines or ["  (only looks)"]

    def _moved(self, text: str) -> str:
        for directory in ("/var/lib/ongpu", "/etc/", "/lib/modules"):
            text = text.replace(directory, f"{self.place}{directory}")
        return text


def _shown(content: str) -> list[str]:
    if "BEGIN PGP" in content:
        return ["  (the armoured key)"]
    return [f"  {line}" for line in content.splitlines()]
