"""Real dnf and rpm, on a host that passes for Rocky Linux 9, against a repository in NVIDIA's layout."""

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
    """One host that passes for Rocky Linux 9."""
    with booted("rpm", tmp_path_factory) as one:
        yield one


@pytest.fixture(scope="module")
def host(lab: Lab) -> Host:
    """Blank, with the repository on it."""
    one = Host(lab, "rpm1")
    one.reset()
    rpms.build(one, "redhat")
    return one


@pytest.fixture
def on(host: Host, tmp_path: Path, controller: Callable[[Any], Controller]) -> On:
    """`on("580")`: a fleet with this branch; `key`: which of the repository's two keys is declared."""

    def make(branch: str, *, key: str = "nvidia", **driver: Any) -> Controller:
        repository = {"url": rpms.URL, "key": str(rpms.key(host, key, tmp_path))}
        declared = {"branch": branch, "repository": repository, "reboot": "window", **driver}
        return controller(fleet({"rpm1": SMALL}, driver=declared))

    return make


def test_a_driver_from_rpm_packages(host: Host, on: On) -> None:
    _a_repository_that_is_down_is_one_sentence(host, on)
    _a_key_that_did_not_sign_it_is_one_sentence(host, on)
    _blank_to_proven_in_the_pinned_version(host, on)
    _nothing_moves_it(host, on)
    _an_upgrade_is_a_plan_like_any_other(host, on)
    _it_is_taken_back_with_its_driver(host, on)
    _so_is_a_downgrade_to_another_branch(host, on)
    _what_an_interrupted_transaction_left_is_repaired(host, on)


def _a_repository_that_is_down_is_one_sentence(host: Host, on: On) -> None:
    rpms.stop(host)
    error = on("580.82.07").report("apply", "-y", expect=2)["rpm1"]["error"]
    assert "the package repository http://127.0.0.1:8000/ cannot be used: Curl error (7)" in error, error
    assert host.run("test -e /etc/yum.repos.d/ongpu-nvidia.repo").returncode, "the host's own dnf never saw it"
    rpms.serve(host)


def _a_key_that_did_not_sign_it_is_one_sentence(host: Host, on: On) -> None:
    error = on("580.82.07", key="other").report("apply", "-y", expect=2)["rpm1"]["error"]
    assert "a package is not signed with the declared key: " in error, error
    assert _driver(host) == {}


def _blank_to_proven_in_the_pinned_version(host: Host, on: On) -> None:
    record = on("580.82.07").report("apply", "-y")["rpm1"]
    assert record["models"][0]["verdict"] == "verified", record
    assert set(_driver(host).values()) == {"580.82.07-1.el9"}
    assert {"nvidia-driver-cuda", "kmod-nvidia-open-dkms", "nvidia-persistenced", "nvidia-modprobe"} <= set(
        _driver(host)
    )
    assert on("580.82.07").report("plan")["rpm1"]["verdict"] == "ok"


def _nothing_moves_it(host: Host, on: On) -> None:
    before = _driver(host)
    locked = host.out("dnf -q versionlock list").split()
    assert {entry.partition("-3:")[0] for entry in locked} == set(before)
    host.out("dnf -y upgrade", timeout=60)
    assert _driver(host) == before
    # Without the locks the repository's entry still keeps the branch.
    said = host.run("dnf --disableplugin=versionlock --setopt=ongpu-nvidia.module_hotfixes=1 --assumeno upgrade").stdout
    assert "580.95.05" in said, said
    assert "590.44.01" not in said, said


def _an_upgrade_is_a_plan_like_any_other(host: Host, on: On) -> None:
    plan = on("580.95.05").report("plan", expect=2)["rpm1"]
    assert any("580.82.07" in change["summary"] for change in plan["changes"]), plan
    record = on("580.95.05").report("apply", "-y")["rpm1"]
    assert record["models"][0]["verdict"] == "verified", record
    assert set(_driver(host).values()) == {"580.95.05-1.el9"}
    assert host.out("cat /sys/module/nvidia/version") == "580.95.05"
    assert on("580").report("plan")["rpm1"]["verdict"] == "ok", "a branch is as good as its newest version"


def _it_is_taken_back_with_its_driver(host: Host, on: On) -> None:
    record = on("580").report("undo", "rpm1", "-y")["rpm1"]
    assert "580.82.07 back, by a reload of the kernel module" in str(record["changes"]), record
    assert set(_driver(host).values()) == {"580.82.07-1.el9"}
    assert host.out("cat /sys/module/nvidia/version") == "580.82.07"
    assert on("580.82.07").report("plan")["rpm1"]["verdict"] == "ok", "locked again, too"


def _so_is_a_downgrade_to_another_branch(host: Host, on: On) -> None:
    record = on("570").report("apply", "-y")["rpm1"]
    assert record["models"][0]["verdict"] == "verified", record
    assert set(_driver(host).values()) == {"570.195.03-1.el9"}
    assert host.out("cat /sys/module/nvidia/version") == "570.195.03"
    assert "570-open" in host.out("dnf -q module list --enabled")
    assert on("570").report("plan")["rpm1"]["verdict"] == "ok"


def _what_an_interrupted_transaction_left_is_repaired(host: Host, on: On) -> None:
    newer = "$(find /srv/repo -name 'nvidia-driver-cuda-580.95.05*.rpm')"
    host.out(f"rpm -i --justdb --nodeps --force --noscripts {newer}")
    plan = on("570").report("plan", expect=2)["rpm1"]
    assert "half-installed nvidia-driver-cuda" in str(plan["changes"]), plan
    on("570").report("apply", "-y")
    assert host.out("rpm -q nvidia-driver-cuda") == "nvidia-driver-cuda-570.195.03-1.el9.x86_64"


def _driver(host: Host) -> dict[str, str]:
    """name -> version-release of every installed package of the driver."""
    rows = host.out("rpm -qa --queryformat '%{NAME} %{EPOCHNUM} %{VERSION}-%{RELEASE}\\n'").splitlines()
    return {name: version for name, epoch, version in (row.split() for row in rows) if epoch == "3"}
