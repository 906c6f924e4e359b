"""Every cause that can be staged: `ongpu diagnose` names it first, `ongpu fix` repairs it or prints what to do, and the
same look says afterwards that the host is healthy. Three hosts at a time, each with a cause of its own, by the real
command line."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ongpu_lab import faults
from ongpu_lab.lab import Lab
from tests.lab.by_hand import commands_for, follow
from tests.lab.causes import ALONE, BY_HAND, REPAIRED, TYPED
from tests.lab.conftest import fleet_file
from tests.lab.fleets import Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

HOSTS = ("lab1", "lab2", "lab3")  # Debian 12, Debian 13, Debian 12 with two GPUs
MODEL = {"models": {"llama3.2:3b": {"context": 8192}}}
FLEET = fleet(
    dict.fromkeys(HOSTS, MODEL), driver={"branch": "580", "reboot": "window"}, service={"drain": "20s"}
) | {"rollout": {"max_failures": "100%"}}  # fmt: skip
_FORGET = """
rm -f /etc/systemd/system/ollama.service.d/zz-ongpu-fix.conf /etc/modprobe.d/ongpu-nvidia.conf
systemctl daemon-reload
systemctl --quiet is-active ollama.service && ! systemctl show ollama -p NeedDaemonReload | grep -q yes || :
"""
NAMES = {fault.cause: fault.name for fault in faults.every()}


class Ward:
    """Three configured hosts, and what is done to them."""

    def __init__(self, lab: Lab, on: Controller) -> None:
        self.lab, self.on = lab, on
        self.hosts = [Host(lab, name) for name in HOSTS]

    def at_once(self, work: Callable[[Host, str], None], causes: dict[str, str]) -> None:
        """Work on each host, side by side."""
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(work, host, causes[host.name]) for host in self.hosts if host.name in causes]:
                done.result()

    def stage(self, causes: dict[str, str]) -> None:
        for host, cause in causes.items():  # what is active is noted in one file
            faults.note(self.lab, NAMES[cause], host)
        self.at_once(lambda host, cause: faults.find(cause).apply(faults.Target(self.lab, host.name)), causes)

    def take_back(self, causes: dict[str, str]) -> None:
        self.at_once(lambda host, cause: faults.find(cause).clear(faults.Target(self.lab, host.name)), causes)
        for host in causes:
            faults.forget(self.lab, host)

    def discharge(self, host: Host, cause: str) -> None:
        """The host as it was before, without what a fix left."""
        if host.run("test -e /etc/systemd/system/ollama.service.d/zz-ongpu-fix.conf").returncode == 0:
            host.out(_FORGET + "systemctl restart ollama.service")
        host.run("rm -f /etc/modprobe.d/ongpu-nvidia.conf")

    def diagnosed(self, *names: str) -> dict[str, dict[str, Any]]:
        return self._report("diagnose", *names)

    def fixed(self, *words: str) -> dict[str, dict[str, Any]]:
        return self._report("fix", *words)

    def _report(self, *words: str) -> dict[str, dict[str, Any]]:
        import json

        done = self.on.ongpu(*words, "--format", "json")
        assert done.returncode in (0, 2, 3, 4), done.stderr
        assert "Traceback" not in done.stderr
        return {host["host"]: host for host in json.loads(done.stdout)["hosts"]}


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


def test_several_causes_at_once_are_all_named(ward: Ward) -> None:
    together = {
        "lab1": ["thermal-throttle", "llama-arg-override"],
        "lab2": ["ecc-error", "slurm-rocr-visible-devices", "pcie-link-degraded"],
        "lab3": ["gpu-busy-or-exclusive", "cuda-visible-devices-hides-gpu", "ecc-error"],
    }
    for number in range(3):
        ward.stage({host: causes[number] for host, causes in together.items() if len(causes) > number})
    try:
        seen = ward.diagnosed(*together)
        for host, causes in together.items():
            assert {finding["cause"] for finding in seen[host]["findings"]} == set(causes), seen[host]
    finally:
        for number in range(3):
            ward.take_back({host: causes[number] for host, causes in together.items() if len(causes) > number})


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
