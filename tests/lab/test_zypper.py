"""Real zypper and rpm, on a host that passes for SLES 15 SP6, against a repository in NVIDIA's layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ongpu_lab.lab import Lab
from tests.lab import rpms
from tests.lab.conftest import booted
from tests.lab.fleets import SMALL, Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

On = Callable[..., Controller]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One host that passes for SLES 15 SP6."""
    with booted("suse", tmp_path_factory) as one:
        yield one


@pytest.fixture(scope="module")
def host(lab: Lab) -> Host:
    """Blank, with the repository on it."""
    one = Host(lab, "suse1")
    one.reset()
    rpms.build(one, "suse")
    return one


@pytest.fixture
def on(host: Host, tmp_path: Path, controller: Callable[[Any], Controller]) -> On:
    """`on("580")`: a fleet with this branch; `key`: which of the repository's two keys is declared."""

    def make(branch: str, *, key: str = "nvidia", **driver: Any) -> Controller:
        repository = {"url": rpms.URL, "key": str(rpms.key(host, key, tmp_path))}
        declared = {"branch": branch, "repository": repository, "reboot": "window", **driver}
        return controller(fleet({"suse1": SMALL}, driver=declared))

    return make


def test_a_driver_from_suse_s_packages(host: Host, on: On) -> None:
    _a_key_that_did_not_sign_it_is_one_sentence(host, on)  # first: rpm trusts every key that it was ever given
    _a_repository_that_is_down_is_one_sentence(host, on)
    _blank_to_proven_in_the_pinned_version(host, on)
    _nothing_moves_it(host, on)
    _an_upgrade_is_a_plan_like_any_other(host, on)
    _it_is_taken_back_with_its_driver(host, on)
    _so_is_the_other_module_flavour(host, on)
    _so_is_a_downgrade_to_another_branch(host, on)
    _so_is_the_next_generation_of_packages(host, on)


def _a_key_that_did_not_sign_it_is_one_sentence(host: Host, on: On) -> None:
    error = on("580.82.07", key="other").report("apply", "-y", expect=2)["suse1"]["error"]
    assert "ignature" in error, error
    assert _driver(host) == {}


def _a_repository_that_is_down_is_one_sentence(host: Host, on: On) -> None:
    rpms.stop(host)
    error = on("580.82.07").report("apply", "-y", expect=2)["suse1"]["error"]
    assert "the package repository http://127.0.0.1:8000/ cannot be used: " in error, error
    assert host.run("test -e /etc/zypp/repos.d/ongpu-nvidia.repo").returncode, "the host's own zypper never saw it"
    rpms.serve(host)


def _blank_to_proven_in_the_pinned_version(host: Host, on: On) -> None:
    record = on("580.82.07").report("apply", "-y")["suse1"]
    assert record["models"][0]["verdict"] == "verified", record
    assert set(_driver(host).values()) == {"580.82.07"}
    assert {
        "nvidia-compute-utils-G06",
        "nv-prefer-signed-open-driver",
        "nvidia-open-driver-G06-signed-cuda-kmp-default",
        "nvidia-persistenced",
        "nvidia-modprobe",
    } <= set(_driver(host))
    assert on("580.82.07").report("plan")["suse1"]["verdict"] == "ok"


def _nothing_moves_it(host: Host, on: On) -> None:
    before = _driver(host)
    locks = host.out("zypper --non-interactive locks")
    assert all(f" {name} " in locks for name in before), locks
    host.out("zypper --non-interactive update", timeout=60)
    host.out("zypper --non-interactive dist-upgrade", timeout=60)
    assert _driver(host) == before


def _an_upgrade_is_a_plan_like_any_other(host: Host, on: On) -> None:
    plan = on("580.95.05").report("plan", expect=2)["suse1"]
    assert any("580.82.07" in change["summary"] for change in plan["changes"]), plan
    _proven(host, on("580.95.05"), "580.95.05")
    assert on("580").report("plan")["suse1"]["verdict"] == "ok", "a branch is as good as its newest version"


def _it_is_taken_back_with_its_driver(host: Host, on: On) -> None:
    record = on("580.95.05").report("undo", "suse1", "-y")["suse1"]
    assert "580.82.07 back, by a reload of the kernel module" in str(record["changes"]), record
    assert set(_driver(host).values()) == {"580.82.07"}
    assert host.out("cat /sys/module/nvidia/version") == "580.82.07"
    assert on("580.82.07").report("plan")["suse1"]["verdict"] == "ok", "held again, too"


def _so_is_the_other_module_flavour(host: Host, on: On) -> None:
    """By a reboot, with a newer version at once."""
    _proven(host, on("580.95.05", modules="proprietary"), "580.95.05")
    assert "Kernel Module  580.95.05" in host.out("cat /proc/driver/nvidia/version")


def _so_is_a_downgrade_to_another_branch(host: Host, on: On) -> None:
    """With the open modules again, which are what this GPU gets."""
    _proven(host, on("570"), "570.195.03")
    assert "Open Kernel Module" in host.out("cat /proc/driver/nvidia/version")


def _so_is_the_next_generation_of_packages(host: Host, on: On) -> None:
    _proven(host, on("590"), "590.44.01")
    assert not [name for name in _driver(host) if "G06" in name]


def _proven(host: Host, on: Controller, version: str) -> None:
    """And nothing is left to do."""
    record = on.report("apply", "-y")["suse1"]
    assert record["models"][0]["verdict"] == "verified", record
    assert set(_driver(host).values()) == {version}
    assert host.out("cat /sys/module/nvidia/version") == version
    assert on.report("plan")["suse1"]["verdict"] == "ok"


def _driver(host: Host) -> dict[str, str]:
    """name -> the driver's version of every installed package of it."""
    rows = host.out("rpm -qa --queryformat '%{NAME} %{VERSION}\\n'").splitlines()
    return {name: version.split("_")[0] for name, version in map(str.split, rows) if name.startswith("nv")}
