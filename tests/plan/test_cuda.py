"""Libraries before the driver's own are named with their path; the declared toolkit fits, is there and held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import ValidationError

from ongpu.host.cuda import CudaInit
from ongpu.host.gpu import FoundLibrary, LibraryPlace
from ongpu.host.reading import Known, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.system import Package
from ongpu.plan.build import plan
from ongpu.plan.types import Limits, Now, Plan
from ongpu.spec.model import HostSpec
from tests.plan.builders import TUESDAY, blank_host, configured_host, converge, planned, spec
from tests.plan.runs import run
from tests.plan.world import World

OWN = "/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05"
STUB = "/usr/local/cuda-12.8/lib64/stubs/libcuda.so"
OLD = "/usr/local/cuda-12.4/compat/libcuda.so.550.54.15"
NEW = "/usr/local/cuda-13.2/compat/libcuda.so.595.45.04"


def library(path: str, place: LibraryPlace) -> FoundLibrary:
    version = path.rpartition(".so")[2].lstrip(".")
    return FoundLibrary(path=path, resolved=path, version=version, place=place, owner=Known("x", "dpkg"))


def looked(*found: FoundLibrary, code: int = 0, declared: HostSpec | None = None) -> Plan:
    snapshot = configured_host().snapshot()
    assert isinstance(snapshot.libraries, Known)
    libraries = replace(
        snapshot.libraries.value,
        found=Known(found, "ldconfig"),
        configured=Known(("/etc/ld.so.conf.d/cuda.conf: /usr/local/cuda-12.4/compat",), "ld.so.conf.d"),
    )
    init = CudaInit(code=code, devices=1, library=found[0].path if found else "", user="ollama")
    snapshot = replace(snapshot, libraries=Known(libraries, "ldconfig"), cuda=Known(init, "cuInit"))
    return part(snapshot, declared)


def part(snapshot: HostSnapshot, declared: HostSpec | None = None) -> Plan:
    return plan(declared or spec(), snapshot, Now(TUESDAY), Limits()).of("cuda")


@pytest.mark.parametrize(
    ("first", "place", "code", "words"),
    [
        (STUB, "LD_LIBRARY_PATH", 0, "stub, and ollama.service comes to it before the driver's own: take /usr/local/"),
        (STUB, "ldconfig", 0, "run ldconfig"),
        (OLD, "LD_LIBRARY_PATH", 0, "550.54.15, for older drivers than the loaded 580.95.05"),
        (OLD, "ldconfig", 0, "(/etc/ld.so.conf.d/cuda.conf: /usr/local/cuda-12.4/compat) and run ldconfig"),
        (NEW, "LD_LIBRARY_PATH", 804, "CUDA error 804"),
    ],
)
def test_what_comes_before_the_driver_s_own(first: str, place: LibraryPlace, code: int, words: str) -> None:
    (blocked,) = looked(library(first, place), library(OWN, "ldconfig"), code=code).blocked
    assert blocked.kind == "unsupported"
    assert blocked.why.startswith(first)
    assert words in blocked.why


def test_what_does_no_harm() -> None:
    """On disk only, after the driver's own, or a cuda-compat that is newer and works."""
    assert looked(library(OWN, "ldconfig"), library(STUB, "ldconfig"), library(OLD, "disk")).empty
    assert looked(library(STUB, "disk"), library(OWN, "ldconfig")).empty
    assert looked(library(NEW, "LD_LIBRARY_PATH"), library(OWN, "ldconfig")).empty
    blind = replace(configured_host().snapshot(), libraries=Unreadable("cut off"))
    assert part(blind).empty


# --- toolkit


@dataclass
class Host(World):
    def _run(self, what: str, script: str) -> None:
        if what.startswith("install cuda-toolkit"):
            name = what.removeprefix("install ").partition("=")[0]
            self.packages[name] = Package(name=name, version="12.8.1-1", status="ii", held=False)
        else:
            super()._run(what, script)


def toolkit(version: str, **driver: Any) -> HostSpec:
    return spec(cuda={"toolkit": version}, driver=driver)


@pytest.mark.parametrize("version", ["12.8", "12.8.1"])
def test_installed_and_held(version: str) -> None:
    host = Host()
    converge(host, spec())
    (change,) = planned(host, toolkit(version)).of("cuda").changes
    assert f"CUDA toolkit {version} (cuda-toolkit-12-8): not installed" in change.summary
    assert not change.interrupts
    assert run(host, toolkit(version)) == ""
    assert host.packages["cuda-toolkit-12-8"].held
    assert planned(host, toolkit(version)).empty


def test_one_command_on_a_blank_host() -> None:
    host = Host()
    assert planned(blank_host(), toolkit("12.8")).of("cuda").deferred
    converge(host, toolkit("12.8"))
    assert "cuda-toolkit-12-8" in host.packages


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (toolkit("13.2", branch="570"), "needs driver 580"),
        (toolkit("9.2"), "does not know CUDA toolkit 9.2"),
        (toolkit("12.8", source="distro", branch="535"), "source: nvidia"),
    ],
)
def test_what_cannot_be(declared: HostSpec, words: str) -> None:
    (blocked,) = planned(configured_host(), declared).of("cuda").blocked
    assert words in blocked.why


def test_a_version_that_is_none() -> None:
    with pytest.raises(ValidationError, match="is a version such as"):
        toolkit("latest")
