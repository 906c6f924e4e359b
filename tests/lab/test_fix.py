"""Every cause that can be staged: `ongpu diagnose` names it first, `ongpu fix` repairs it or prints what to do, and the
same look says afterwards that the host is healthy. Three hosts at a time, each with a cause of its own, by the real
command line."""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import pytest

from ongpu_lab import faults
from ongpu_lab.lab import Lab
from tests.lab.by_hand import commands_for, follow
from tests.lab.causes import ALONE, BY_HAND, REPAIRED, TOGETHER, TYPED
from tests.lab.conftest import fleet_file
from tests.lab.fleets import Controller, fleet
from tests.lab.machines import Host
from tests.lab.ward import HOSTS, Ward
from tests.rules.explained import EXPLAINED

pytestmark = pytest.mark.lab

MODEL = {"models": {"llama3.2:3b": {"context": 8192}}}
FLEET = fleet(
    dict.fromkeys(HOSTS, MODEL), driver={"branch": "580", "reboot": "window"}, service={"drain": "20s"}
) | {"rollout": {"max_failures": "100%"}}  # fmt: skip


@pytest.fixture(scope="module")
def ward(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Ward:
    """Three hosts that serve a model, on both distributions."""
    faults.clear(lab, host="")
    for name in HOSTS:
        Host(lab, name).reset()
    made = Ward(lab, Controller(fleet_file(lab, tmp_path_factory.mktemp("ward"), FLEET)))
    made.on.report("apply", "-y")
    for host in made.hosts:
        host.out(r"printf '[generation]\npace = no\n' >/etc/ongpu-lab/ollama.ini")
    return made


def first(host: dict[str, Any]) -> str:
    """The cause that is named first; all that is known of the host where none is."""
    return str(host["findings"][0]["cause"]) if host["findings"] else str(host)


def rounds(causes: list[str]) -> list[Any]:
    threes = [causes[at : at + len(HOSTS)] for at in range(0, len(causes), len(HOSTS))]
    return [pytest.param(dict(zip(HOSTS, three, strict=False)), id="+".join(three)) for three in threes]


@pytest.mark.parametrize("causes", rounds(REPAIRED.split()))
def test_a_cause_is_named_repaired_and_confirmed(ward: Ward, causes: dict[str, str]) -> None:
    ward.stage(causes)
    try:
        seen = ward.diagnosed(*causes)
        assert {host: first(seen[host]) for host in causes} == causes
        by_name = [cause for cause in causes.values() if cause == "gpu-overhead-without-effect"]  # informational
        rules = list(causes.values()) if by_name else []
        done = ward.fixed(*rules, *causes, "--allow", "reboot")
        states = {host: {fix["cause"]: fix["state"] for fix in done[host]["fixes"]} for host in causes}
        assert {host: states[host].get(cause) for host, cause in causes.items()} == dict.fromkeys(causes, "fixed"), done
        for host in causes:
            assert done[host]["verdict"] == "ok", done[host]
            assert done[host]["findings"] == [], done[host]
            assert [model["verdict"] for model in done[host]["models"]] == ["verified"], done[host]
    finally:
        ward.take_back(causes)
        ward.at_once(ward.discharge, causes)


@pytest.mark.parametrize("causes", rounds(list(TYPED)))
def test_the_printed_commands_cure_it(ward: Ward, causes: dict[str, str]) -> None:
    """Copied line by line from what `ongpu fix` prints, as a person with sudo would."""
    ward.stage(causes)
    try:
        seen = ward.diagnosed(*causes)
        assert {host: first(seen[host]) for host in causes} == causes
        printed = ward.on.ongpu("fix", *causes.values(), *causes, "--allow", "reboot").stdout
        ward.at_once(lambda host, cause: follow(host, TYPED[cause], commands_for(printed, host.name, cause)), causes)
        after = ward.on.report("verify", *causes, "--load")
        for host in causes:
            assert after[host]["verdict"] == "ok", after[host]
            assert [model["verdict"] for model in after[host]["models"]] == ["verified"], after[host]
        after = ward.diagnosed(*causes)
        assert {host: (after[host]["verdict"], after[host]["findings"]) for host in causes} == dict.fromkeys(
            causes, ("ok", [])
        )
    finally:
        ward.take_back(causes)
        ward.at_once(ward.discharge, causes)


@pytest.mark.parametrize("causes", rounds(list(BY_HAND)))
def test_a_cause_is_named_and_the_way_out_is_printed(ward: Ward, causes: dict[str, str]) -> None:
    ward.stage(causes)
    try:
        seen = ward.diagnosed(*causes)
        assert {host: first(seen[host]) for host in causes} == causes
        done = ward.fixed(*causes.values(), *causes, "--allow", "reboot")
        for host, cause in causes.items():
            (fix,) = [fix for fix in done[host]["fixes"] if fix["cause"] == cause]
            assert fix["state"] in ("manual", "failed", "failing"), fix
            assert BY_HAND[cause].printed in " ".join([fix["summary"], *fix["commands"]]), fix
            assert done[host]["verdict"] in ("findings", "failed"), done[host]
    finally:
        ward.take_back(causes)
        ward.at_once(ward.discharge, causes)
    after = ward.diagnosed(*causes)
    assert {host: after[host]["findings"] for host in causes} == {host: [] for host in causes}


def several() -> list[Any]:
    """For each of three hosts in each round two or three causes that do not hide each other; the same ones each day."""
    dice = random.Random(6)
    sets = [
        *dice.sample(list(combinations(TOGETHER.split(), 2)), 18),
        *dice.sample(list(combinations(TOGETHER.split(), 3)), 12),
    ]
    dice.shuffle(sets)
    return [
        pytest.param(
            dict(zip(HOSTS, sets[at : at + 3], strict=True)), id="+".join("/".join(one) for one in sets[at : at + 3])
        )
        for at in range(0, len(sets), 3)
    ]


@pytest.mark.parametrize("together", several())
def test_several_causes_at_once_are_all_named(ward: Ward, together: dict[str, tuple[str, ...]]) -> None:
    layers = [
        {host: causes[number] for host, causes in together.items() if len(causes) > number} for number in range(3)
    ]
    for layer in layers:
        ward.stage(layer)
    try:
        seen = ward.diagnosed(*together)
        for host, causes in together.items():
            named = {finding["cause"] for finding in seen[host]["findings"]}
            shown = named | {symptom for cause in named for symptom in EXPLAINED[cause]}
            assert set(causes) <= shown, seen[host]
    finally:
        for layer in reversed(layers):
            ward.take_back(layer)


def test_a_fix_that_makes_it_worse_is_taken_back(ward: Ward) -> None:
    """A host on which the GPU is lost as soon as Ollama may see it."""
    trap, lost = "/etc/systemd/system/ollama.service.d/95-trap.conf", "/run/ongpu-lab/set/gpu0.error"
    look = f"grep -qz ^CUDA_VISIBLE /proc/$MAINPID/environ && rm -f {lost} || echo 15 >{lost}"
    host = ward.hosts[0]
    ward.stage({"lab1": "cuda-visible-devices-hides-gpu"})
    try:
        host.out(f"""printf '[Service]\nExecStartPost=-+/bin/sh -c "{look}"\n' >{trap}; systemctl daemon-reload""")
        done = ward.fixed("ENV-002", "lab1", "--allow", "restart")["lab1"]
        (fix,) = done["fixes"]
        assert fix["state"] == "worse", fix
        assert "the driver talked to 1 GPUs before and talks to 0 now; taken back" in fix["why"], fix
        assert done["verdict"] == "failed"
        assert host.run("test -e /etc/systemd/system/ollama.service.d/zz-ongpu-fix.conf").returncode != 0
        assert host.out("systemctl is-active ollama; nvidia-smi -L | grep -c UUID").split() == ["active", "1"]
    finally:
        host.out(f"rm -f {trap} {lost}")
        ward.take_back({"lab1": "cuda-visible-devices-hides-gpu"})
        ward.discharge(host, "cuda-visible-devices-hides-gpu")


def test_a_fix_is_taken_back_and_that_too(ward: Ward) -> None:
    drop_in = "/etc/systemd/system/ollama.service.d/zz-ongpu-fix.conf"
    ward.stage({"lab1": "llama-arg-override"})
    try:
        (fix,) = ward.fixed("ENV-012", "lab1", "--allow", "restart")["lab1"]["fixes"]
        assert fix["state"] == "fixed", fix
        before = ward.hosts[0].out(f"sha256sum {drop_in}")
        foreseen = ward.on.report("undo", "lab1", "--dry", expect=2)["lab1"]
        assert f"remove {drop_in}" in [change["summary"] for change in foreseen["changes"]], foreseen
        assert ward.on.report("undo", "lab1", "-y")["lab1"]["verdict"] == "ok"
        assert ward.hosts[0].run(f"test -e {drop_in}").returncode != 0
        ward.hosts[0].out("ollama run llama3.2:3b hi")
        assert ward.diagnosed("lab1")["lab1"]["findings"][0]["cause"] == "llama-arg-override"
        assert ward.on.report("undo", "lab1", "-y")["lab1"]["verdict"] == "ok"
        assert ward.hosts[0].out(f"sha256sum {drop_in}") == before
        ward.hosts[0].out("ollama run llama3.2:3b hi")
        assert ward.diagnosed("lab1")["lab1"]["findings"] == []
    finally:
        ward.take_back({"lab1": "llama-arg-override"})
        ward.discharge(ward.hosts[0], "llama-arg-override")


def test_what_is_not_allowed_is_not_done(ward: Ward) -> None:
    ward.stage({"lab1": "llama-arg-override"})
    try:
        done = ward.on.ongpu("fix", "lab1")
        assert done.returncode == 4, done.stdout + done.stderr
        assert "allow it with --allow restart" in done.stdout
        assert ward.diagnosed("lab1")["lab1"]["findings"][0]["cause"] == "llama-arg-override"
    finally:
        ward.take_back({"lab1": "llama-arg-override"})


def test_plain_pyinfra_repairs_too(ward: Ward) -> None:
    ward.stage({"lab1": "llama-arg-override"})
    try:
        words = ("--limit", "lab1", "-y", "--data", "ongpu_allow=restart")
        done = ward.on.pyinfra(*words, deploy="deploys/fix.py")
        assert done.returncode == 0, done.stderr
        assert "ENV-012 llama-arg-override: fixed" in done.stderr
        again = ward.on.pyinfra(*words, deploy="deploys/fix.py")
        assert again.returncode == 0, again.stderr
        assert "ENV-012" not in again.stderr
    finally:
        ward.take_back({"lab1": "llama-arg-override"})
        ward.discharge(ward.hosts[0], "llama-arg-override")


def test_libraries_of_another_release_than_the_modules(ward: Ward) -> None:
    """What an unattended upgrade leaves behind: the declared driver is put back by the plan."""
    faults.apply(ward.lab, faults.find(ALONE), "lab1")
    try:
        assert ward.diagnosed("lab1")["lab1"]["findings"][0]["cause"] == ALONE
        done = ward.fixed("lab1", "--allow", "reboot")["lab1"]
        assert [(fix["cause"], fix["state"]) for fix in done["fixes"]] == [(ALONE, "fixed")], done["fixes"]
        assert done["verdict"] == "ok", done
    finally:
        faults.clear(ward.lab, ALONE, "lab1")
