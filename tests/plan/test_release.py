from __future__ import annotations

from dataclasses import replace

import pytest

from ongpu.host import paths
from ongpu.host.ollama import OllamaBinary, OllamaInstall
from ongpu.host.reading import Absent, Known
from ongpu.plan.build import plan
from ongpu.plan.types import Interrupts, Limits, Now, Run, Send
from tests.plan.builders import TUESDAY, blank_host, configured_host, installed_by_script, packaged, planned, spec
from tests.plan.runs import run


def steps(version: str = "0.32.15", **over: object) -> list[Run]:
    (change,) = planned(blank_host(**over), spec(ollama={"release": version})).of("ollama").changes
    assert change.interrupts is Interrupts.NONE
    return [step for step in change.steps if isinstance(step, Run)]


def test_download_unpack_and_switch_are_steps_of_their_own() -> None:
    download, unpack, switch = steps()
    assert [step.what for step in (download, unpack, switch)] == [
        "download ollama 0.32.15",
        "unpack ollama 0.32.15",
        "switch to ollama 0.32.15",
    ]
    script = download.stdin or ""
    assert "BASE=https://mirror.example/ollama\n" in script
    assert "FILE=ollama-linux-amd64.tar.zst\n" in script
    assert f"SUM={'1' * 64}\n" in script


def test_without_a_declared_release_ollamas_own_site_and_list() -> None:
    script = steps("0.33.0")[0].stdin or ""
    assert "BASE=https://github.com/ollama/ollama/releases/download/v0.33.0\n" in script
    assert "SUM=''\n" in script


def test_old_releases_and_other_processors_have_other_names() -> None:
    assert "FILE=ollama-linux-amd64.tgz\n" in (steps("0.13.5")[0].stdin or "")
    assert "FILE=ollama-linux-arm64.tar.zst\n" in (steps(arch="aarch64")[0].stdin or "")


def test_an_upgrade_and_its_way_back_do_not_touch_the_running_service() -> None:
    host = configured_host()
    newer = spec(ollama={"release": "0.33.0"})
    (change,) = planned(host, newer).of("ollama").changes
    assert change.summary == "ollama 0.32.15 -> 0.33.0"
    assert run(host, newer) == ""
    (change,) = planned(host).of("ollama").changes
    assert [step.what for step in change.steps if isinstance(step, Run)] == ["switch to ollama 0.32.15"]
    assert run(host, spec()) == ""


def test_someone_elses_binary_of_the_declared_version_is_left_as_it_is() -> None:
    host = installed_by_script("0.32.15", binary=("/usr/local/bin/ollama", "0.32.15"))
    assert planned(host).of("ollama").empty
    (change,) = planned(installed_by_script("0.31.2")).of("ollama").changes
    assert change.summary == "ollama 0.31.2 at /usr/local/bin/ollama, not from ongpu -> 0.32.15"


@pytest.mark.parametrize("packaging", [("docker",), ("snap",), ("kubernetes",), ("deb", "podman")])
def test_other_peoples_packaging_is_diagnosed_not_managed(packaging: tuple[str, ...]) -> None:
    plan = planned(blank_host(packaging=packaging))
    ours = {"account", "ollama", "unit", "override", "restart", "models"}
    assert not {change.resource for change in plan.changes} & ours, "not even an account or a drop-in"
    assert {blocked.resource for blocked in plan.blocked} == ours
    assert all(f"Ollama is here as {packaging[0]}" in blocked.why for blocked in plan.blocked)
    assert planned(blank_host(packaging=packaging), spec(driver={"manage": False}, ollama={"manage": False})).empty


def test_a_binary_that_leads_elsewhere_is_linked_again() -> None:
    host = configured_host()
    host.binary = (f"{paths.RELEASES}/0.1.0/bin/ollama", "0.1.0")
    (change,) = planned(host).of("ollama").changes
    assert change.summary == "ollama 0.32.15: link it again"


def test_a_mirror_on_the_controller_is_copied_and_checked() -> None:
    declared = {"0.32.15": {"from": "/srv/ollama", "amd64": None}}
    host = blank_host()
    (change,) = planned(host, spec(releases={"ollama": declared})).of("ollama").changes
    sums, archive, check, unpack, _ = change.steps
    assert isinstance(sums, Send)
    assert isinstance(archive, Send)
    assert sums.source == "/srv/ollama/sha256sum.txt"
    assert archive.source == "/srv/ollama/ollama-linux-amd64.tar.zst"
    assert "BASE=file:///var/lib/ongpu/spool/0.32.15\n" in (check.stdin or "")  # type: ignore[union-attr]
    assert f"ARCHIVES={archive.path}\n" in (unpack.stdin or "")  # type: ignore[union-attr]
    with_sum = planned(host, spec(releases={"ollama": {"0.32.15": {"from": "/srv/ollama"}}})).of("ollama").changes[0]
    assert sum(isinstance(step, Send) for step in with_sum.steps) == 1


def test_add_ons_are_fetched_and_missed() -> None:
    (change,) = planned(blank_host(), spec(ollama={"addons": ["rocm"]})).of("ollama").changes
    scripts = [step.stdin or "" for step in change.steps if isinstance(step, Run)]
    assert "FILE=ollama-linux-amd64-rocm.tar.zst\n" in scripts[1]
    assert "SUM=''\n" in scripts[1], "the release's own list"
    host = configured_host()
    (change,) = planned(host, spec(ollama={"addons": ["rocm"]})).of("ollama").changes
    assert change.summary == "ollama 0.32.15: incomplete, install it again"


@pytest.mark.parametrize(("kernel", "addon"), [("5.15.148-tegra", "jetpack6"), ("5.10.216-tegra", "jetpack5")])
def test_a_jetson_gets_its_own_archive(kernel: str, addon: str) -> None:
    host = blank_host(kernel=kernel, arch="aarch64")
    (change,) = planned(host, spec(driver={"manage": False})).of("ollama").changes
    scripts = [step.stdin or "" for step in change.steps if isinstance(step, Run)]
    assert f"FILE=ollama-linux-arm64-{addon}.tar.zst\n" in scripts[1]
    odd = planned(blank_host(kernel="6.8.12-tegra", arch="aarch64"), spec(driver={"manage": False})).of("ollama")
    assert "name the one that fits in ollama.addons" in odd.blocked[0].why


@pytest.mark.parametrize(
    ("version", "leftover"), [("0.32.15", "runners/"), ("0.32.15", "cuda_v11/"), ("0.24.0", "llama-server")]
)
def test_remains_of_another_version_are_not_adopted(version: str, leftover: str) -> None:
    host = installed_by_script(version, binary=("/usr/local/bin/ollama", version))
    declared = spec(ollama={"release": version})
    assert planned(host, declared).of("ollama").empty
    host.leftover = leftover
    assert not planned(host, declared).of("ollama").empty


def test_a_package_says_what_it_lacks_and_how_to_remove_it() -> None:
    why = planned(blank_host(packaging=("deb",))).of("ollama").blocked[0].why
    assert "remove it (`apt-get remove ollama`), or declare ollama: {manage: false}" in why
    assert "snap remove ollama" in planned(blank_host(packaging=("snap",))).of("ollama").blocked[0].why


def test_a_package_is_taken_over_where_the_inventory_says_so() -> None:
    host = packaged()
    why = planned(host).of("ollama").blocked[0].why
    assert "declare ollama: {replace: true} to have its service run ongpu's release" in why
    before = planned(host, spec(ollama={"replace": True}))
    assert "/usr/bin/ollama" not in str(before.blocked)
    assert run(host, spec(ollama={"replace": True})) == ""
    assert host.exe == f"{paths.RELEASES}/0.32.15/bin/ollama"
    assert paths.UNIT_FILE not in host.files, "the package's unit is the unit"
    assert f"ExecStart={paths.BINARY} serve" in host.files[paths.DROP_IN][0]
    assert planned(host, spec(ollama={"replace": True})).empty


@pytest.mark.parametrize("packaging", [("snap",), ("docker",), ("deb", "docker")])
def test_a_container_and_a_snap_are_never_taken_over(packaging: tuple[str, ...]) -> None:
    plan = planned(blank_host(packaging=packaging), spec(ollama={"replace": True}))
    assert [blocked.resource for blocked in plan.blocked if blocked.resource == "ollama"] == ["ollama"]
    assert not [change for change in plan.changes if change.resource in ("account", "ollama", "unit", "override")]


def test_another_ollama_beside_ours_is_named() -> None:
    host = blank_host()
    snapshot = host.snapshot()
    other = OllamaBinary(path="/usr/bin/ollama", resolved="/usr/bin/ollama", version=Known("0.24.0", "--version"))
    account = Absent("no such account")
    there = OllamaInstall(
        binaries=(other,), trees=(), release=Absent("none"), kept=(), account=account, packaging=("rpm",)
    )
    snapshot = replace(snapshot, ollama=Known(there, "file system"))
    (change,) = plan(spec(ollama={"replace": True}), snapshot, Now(TUESDAY), Limits()).of("ollama").changes
    assert (
        change.summary == "install ollama 0.32.15 (beside the rpm package's /usr/bin/ollama 0.24.0, which stays unused)"
    )
