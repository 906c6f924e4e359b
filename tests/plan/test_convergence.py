"""From any host, and after a kill between any two steps: applying the plan again and again ends in an empty plan, or
in a blocked one that says why."""

from __future__ import annotations

import copy
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.host import paths
from ongpu.host.reading import Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.system import Package
from ongpu.plan.types import Limits
from ongpu.spec.model import HostSpec
from tests.plan.builders import blank_host, configured_host, driver_by_hand, installed_by_script, planned, spec
from tests.plan.runs import Cut, run
from tests.plan.world import World, client

OPEN, CLOSED = "Tue 09:00-11:00", "Sat 02:00-05:00"
SECTIONS = tuple(HostSnapshot.__dataclass_fields__)


def _driver(branch: str) -> World:
    """A host of ours with another driver branch."""
    declared = spec(driver={"branch": branch})
    return configured_host(declared)


def _ollama(version: str, *before: str) -> World:
    host = configured_host(spec(ollama={"release": version}))
    host.kept |= set(before)
    host.previous = "".join(before)
    return host


def _half_installed() -> World:
    host = configured_host()
    part = host.packages["nvidia-kernel-open-dkms"]
    host.packages[part.name] = Package(name=part.name, version=part.version, status="iF", held=True)
    return host


def _other_drop_in(name: str, **environment: str) -> World:
    host = configured_host()
    host.other_drop_ins[f"{paths.DROP_IN_DIR}/{name}"] = environment
    return host


def _environment_file() -> World:
    host = configured_host()
    host.environment_file = {"OLLAMA_CONTEXT_LENGTH": "4096"}
    host.process = host.effective() | host.environment_file
    return host


STARTS = {
    "blank": blank_host,
    "without tools": lambda: blank_host(tools=set()),
    "nouveau": lambda: blank_host(nouveau=True),
    "nouveau for ever": lambda: blank_host(nouveau=True, stubborn=True),
    "no GPU": lambda: blank_host(gpus=()),
    "configured": configured_host,
    "older driver": lambda: _driver("570"),
    "newer driver": lambda: _driver("590"),
    "driver half installed": _half_installed,
    "driver by hand, another branch": driver_by_hand,
    "driver by hand, this branch": lambda: driver_by_hand("580.95.05"),
    "older ollama": lambda: _ollama("0.31.2"),
    "older releases of ollama": lambda: _ollama("0.31.2", "0.24.0"),
    "newer ollama": lambda: _ollama("0.33.0"),
    "installed by script": installed_by_script,
    "installed by script, this version": lambda: installed_by_script("0.32.15"),
    "foreign unit, other program": lambda: installed_by_script(
        foreign_program="/usr/bin/ollama", exe="/usr/bin/ollama"
    ),
    "foreign drop-in before ours": lambda: _other_drop_in("10-site.conf", OLLAMA_CONTEXT_LENGTH="4096"),
    "foreign drop-in after ours": lambda: _other_drop_in("90-site.conf", OLLAMA_CONTEXT_LENGTH="4096"),
    "foreign drop-in that hides the GPUs": lambda: _other_drop_in("90-site.conf", CUDA_VISIBLE_DEVICES="-1"),
    "foreign drop-in of another matter": lambda: _other_drop_in("90-site.conf", HTTPS_PROXY="http://proxy:3128"),
    "environment file": _environment_file,
    "docker": lambda: blank_host(packaging=("docker",)),
}


def _broken_for_a_while(host: World, *, always: bool = False) -> None:
    """The driver's libraries were upgraded under the module, a model was loaded, and the driver was put back."""
    host.clock += timedelta(minutes=10)
    host.always_on_cpu = always
    host.load_on_cpu()
    host.refuse()


# What befalls a host between two runs.
MISHAPS = {
    "nothing": lambda host: None,
    "stopped": lambda host: setattr(host, "process", None),
    "API down": lambda host: setattr(host, "api_is_down", True),
    "disabled": lambda host: setattr(host, "enabled", False),
    "started before the driver": lambda host: setattr(host, "started", host.started.replace(year=2025)),
    "model removed": lambda host: host.store.clear(),
    "model in use": lambda host: setattr(host, "resident", tuple(host.store)),
    "model on the CPU": _broken_for_a_while,
    "model on the CPU for good": lambda host: _broken_for_a_while(host, always=True),
    "drop-in edited": lambda host: host.files.update({paths.DROP_IN: ("[Service]\n", "0644")}),
    "drop-in gone": lambda host: host.files.pop(paths.DROP_IN, None),
    "unit gone": lambda host: (host.files.pop(paths.UNIT_FILE, None), setattr(host, "loaded_unit", False)),
    "pin gone": lambda host: host.files.pop(paths.APT_PIN, None),
    "module gone": lambda host: (setattr(host, "loaded", ""), setattr(host, "uvm", False)),
    "uvm gone": lambda host: setattr(host, "uvm", False),
    "program gone": lambda host: (setattr(host, "binary", None), host.kept.clear()),
    "variable set by hand": lambda host: host.process is not None and host.process.update(CUDA_VISIBLE_DEVICES="1"),
    "somebody else on the GPU": lambda host: setattr(host, "clients", (client("trainer"),)),
    "somebody unseen on the GPU": lambda host: setattr(host, "holds", True),
    "kernel without a module": lambda host: setattr(host, "next_kernel", "6.1.0-57-amd64"),
    "kernel that DKMS cannot build for": lambda host: (
        setattr(host, "next_kernel", "6.1.0-57-amd64"),
        setattr(host, "fails_for_next", True),
    ),
    "console on the GPU": lambda host: setattr(host, "console", True),
    "cut off while all was stopped": lambda host: (
        setattr(host, "process", None),
        host.files.update({paths.STOPPED_UNITS: ("ollama.service\n", "0644")}),
    ),
    "holds taken off": lambda host: host.packages.update(
        {name: Package(name=name, version=p.version, status="ii", held=False) for name, p in host.packages.items()}
    ),
}
hosts = st.builds(
    lambda start, mishaps, dies: _made(start, mishaps, dies),
    st.sampled_from(sorted(STARTS)),
    st.lists(st.sampled_from(sorted(MISHAPS)), max_size=2, unique=True),
    st.booleans(),
)
specs = st.builds(
    lambda reboot, window, release, branch, gpus, models_dir: spec(
        driver={"reboot": reboot, "branch": branch},
        service={"window": window},
        ollama={"release": release, "gpus": gpus, "models_dir": models_dir},
    ),
    st.sampled_from(["never", "bootstrap", "window"]),
    st.sampled_from([None, OPEN, CLOSED]),
    st.sampled_from(["0.32.15", "0.31.2"]),
    st.sampled_from(["580", "580.95.05", "590"]),
    st.sampled_from(["all", ["0000:01:00.0"]]),
    st.sampled_from([None, "/data/models"]),
)
limits = st.builds(Limits, allow_restart=st.booleans(), allow_reboot=st.booleans())


@cache
def _start(name: str) -> World:
    return STARTS[name]()


def _made(start: str, mishaps: list[str], dies: bool) -> World:
    host = copy.deepcopy(_start(start))
    for mishap in mishaps:
        MISHAPS[mishap](host)
    host.apt_dies = dies
    return host


def _ends(host: World, declared: HostSpec, allowed: Limits) -> None:
    """Within a few runs the plan is empty, or the run says why it stopped and nothing more will happen."""
    reason = ""
    for _ in range(4):
        before = copy.deepcopy(host)
        reason = run(host, declared, allowed)
        left = planned(host, declared, allowed)
        if left.empty:
            assert run(host, declared, allowed) == ""
            return
        assert "still not as declared" not in reason, reason
        if left.blocked and host == before:
            return
    raise AssertionError(f"does not come to an end: {reason}")


@settings(max_examples=120, deadline=None)
@given(host=hosts, declared=specs, allowed=limits, cuts=st.lists(st.integers(0, 12), max_size=3))
def test_every_host_ends_as_declared_or_with_a_reason(
    host: World, declared: HostSpec, allowed: Limits, cuts: list[int]
) -> None:
    for steps in cuts:
        run(host, declared, allowed, cut=Cut(steps))
    _ends(host, declared, allowed)


def test_a_missing_program_does_not_stop_an_exchange_of_the_driver() -> None:
    host = configured_host()
    host.binary = None
    host.kept.clear()
    _ends(host, spec(driver={"branch": "590"}), Limits())


@settings(max_examples=120, deadline=None)
@given(host=hosts, declared=specs, allowed=limits)
def test_the_same_input_gives_the_same_plan(host: World, declared: HostSpec, allowed: Limits) -> None:
    assert planned(host, declared, allowed) == planned(copy.deepcopy(host), declared, allowed)


@settings(max_examples=120, deadline=None)
@given(host=hosts, declared=specs, blind=st.sets(st.sampled_from(SECTIONS), min_size=1))
def test_what_cannot_be_read_never_leads_to_a_change(host: World, declared: HostSpec, blind: set[str]) -> None:
    sighted = planned(host, declared)
    host.blind = dict.fromkeys(blind, Unreadable("permission denied"))
    plan = planned(host, declared)
    expected = {part.resource for part in (*sighted.changes, *sighted.deferred)}
    assert {change.resource for change in plan.changes} <= expected
    assert plan.interrupts <= sighted.interrupts


# Where nothing is to be changed, nothing depends on these.
NOT_NEEDED = {
    "libraries", "nodes", "kernel_log", "journal", "nvml", "pci", "modprobe", "secure_boot", "use",
    "watch",
    "platform", "fabric", "cuda",
}  # fmt: skip


@pytest.mark.parametrize("section", sorted(set(SECTIONS) - NOT_NEEDED))
def test_a_blind_look_at_a_configured_host_is_never_as_declared(section: str) -> None:
    host = configured_host()
    host.blind = {section: Unreadable("permission denied", "run as root")}
    plan = planned(host)
    assert not plan.changes
    assert any(blocked.kind == "unknown" and "permission denied" in blocked.why for blocked in plan.blocked)


@pytest.mark.parametrize("steps", range(30))
def test_a_kill_after_each_step_of_the_first_run_heals(steps: int) -> None:
    host = blank_host(tools=set())
    run(host, spec(), cut=Cut(steps))
    assert run(host, spec()) == ""
    assert planned(host).empty


@pytest.mark.parametrize("steps", range(12))
def test_a_kill_after_each_step_of_an_upgrade_heals(steps: int) -> None:
    declared = spec(driver={"branch": "590", "reboot": "window"}, ollama={"release": "0.33.0"})
    host = configured_host()
    run(host, declared, cut=Cut(steps))
    assert run(host, declared) == ""
    assert planned(host, declared).empty
    assert (host.loaded, host.current) == ("590.44.01", "0.33.0")
