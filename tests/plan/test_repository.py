from __future__ import annotations

from ongpu.host import paths
from ongpu.host.reading import Unreadable
from ongpu.plan.types import Put, Run
from tests.plan.builders import FINGERPRINT, KEY, blank_host, configured_host, planned, spec
from tests.plan.runs import run
from tests.plan.world import client


def test_a_blank_host_gets_key_lists_source_and_the_pin_last() -> None:
    (change,) = planned(blank_host()).of("repository").changes
    assert [
        step.path if isinstance(step, Put) else step.what for step in change.steps if isinstance(step, Put | Run)
    ] == [
        paths.APT_KEYRING,
        "read the package lists of https://repo.example/debian12/x86_64/",
        paths.APT_SOURCE,
        "add https://repo.example/debian12/x86_64/ to apt's sources",
        paths.APT_PIN,
    ]
    assert change.summary == (f"signing key {FINGERPRINT}, source https://repo.example/debian12/x86_64/, pin to 580")
    assert "Pin: version 580.*" in change.diff
    assert not change.interrupts


def test_nvidias_own_repository_needs_nothing_declared() -> None:
    declared = spec(driver={"repository": {"url": None, "key": None, "key_text": None}})
    (change,) = planned(blank_host(), declared).of("repository").changes
    first = change.steps[0]
    assert isinstance(first, Run)
    assert first.what == "fetch the signing key EB693B3035CD5710E231E123A4B469963BF863CC"
    assert "https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/" in change.summary
    assert "3bf863cc.pub 3BF863CC.pub" in (first.stdin or "")


def test_the_keys_of_the_repositories_differ() -> None:
    declared = spec(driver={"repository": {"url": None, "key": None, "key_text": None}})
    (change,) = planned(blank_host(os=("debian", "13")), declared).of("repository").changes
    assert "02182E60104FCDC26EAE1B8597A5D4CB8793F200" in change.summary
    (blocked,) = planned(blank_host(os=("debian", "11")), declared).of("repository").blocked
    assert blocked.kind == "unsupported"
    assert "declare driver.repository.url and key" in blocked.why


def test_an_unsigned_repository_is_never_used() -> None:
    declared = spec(driver={"repository": {"key": None, "key_text": None}})
    (blocked,) = planned(blank_host(), declared).of("repository").blocked
    assert "without `key` or `key_fingerprint`: its packages could not be checked" in blocked.why


def test_a_key_that_is_not_the_declared_one_is_refused_before_anything_is_done() -> None:
    declared = spec(driver={"repository": {"key_fingerprint": "A" * 40}})
    (blocked,) = planned(blank_host(), declared).of("repository").blocked
    assert blocked.why == f"driver.repository.key has the fingerprint {FINGERPRINT}, not {'A' * 40}"
    declared = spec(driver={"repository": {"key_text": KEY.replace("BEGIN", "BEG1N")}})
    (blocked,) = planned(blank_host(), declared).of("repository").blocked
    assert blocked.why == "driver.repository.key is not an armoured OpenPGP public key"


def test_spaces_and_case_of_a_fingerprint_do_not_matter() -> None:
    spaced = " ".join(FINGERPRINT.lower()[i : i + 4] for i in range(0, 40, 4))
    assert planned(configured_host(), spec(driver={"repository": {"key_fingerprint": spaced}})).empty


def test_a_source_that_the_host_has_already_is_used_not_repeated() -> None:
    url = "https://repo.example/debian12/x86_64"
    (change,) = planned(blank_host(sources=(url,))).of("repository").changes
    assert {step.path for step in change.steps if isinstance(step, Put)} == {paths.APT_PIN}


def test_another_branch_moves_the_pin_and_reads_the_lists_first() -> None:
    declared = spec(driver={"branch": "590", "reboot": "window"})
    (change,) = planned(configured_host(), declared).of("repository").changes
    assert change.summary == ("pin to 590, package lists (nvidia-driver-cuda: 580.95.05 is offered, 590 is declared)")
    assert [type(step) for step in change.steps] == [Run, Put]


def test_the_pin_stays_where_the_driver_may_not_be_replaced() -> None:
    """Else apt would follow it one day, without a reboot and without ongpu."""
    host, declared = configured_host(clients=(client("trainer"),)), spec(driver={"branch": "590"})
    plan = planned(host, declared)
    assert plan.of("repository").empty
    assert "driver.reboot is `bootstrap` while the present driver works" in plan.of("switch").blocked[0].why
    before = dict(host.files)
    assert "driver.reboot is `bootstrap`" in run(host, declared)
    assert host.files == before
    host.blind = {"nvml": Unreadable("nvidia-smi gave no answer")}
    assert planned(host, declared).of("repository").empty
    assert planned(host, declared).of("driver").blocked[0].kind == "unknown"


def test_other_distributions_are_refused_with_a_way_out() -> None:
    (blocked,) = planned(blank_host(os=("void", "2026"))).of("repository").blocked
    assert "ongpu does not know Void Linux 2026" in blocked.why
    assert "driver: {manage: false}" in blocked.why
