"""`ollama: {state: absent}`: ongpu's own doing goes, and nothing else."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ongpu.host import paths
from ongpu.plan.types import Drain, Interrupts, Limits, Remove, Run
from ongpu.spec.model import HostSpec
from tests.plan.builders import blank_host, configured_host, installed_by_script, packaged, planned, spec
from tests.plan.runs import run


def absent() -> HostSpec:
    return spec(ollama={"state": "absent"}, models={"llama3.1:8b": None})


def test_what_is_ours_is_stopped_and_removed() -> None:
    plan = planned(configured_host(), absent())
    (change,) = plan.changes
    assert change.summary == "remove ollama 0.32.15 and ollama.service; models stay"
    assert change.interrupts is Interrupts.RESTART
    assert isinstance(change.steps[0], Drain)
    removed = {step.path for step in change.steps if isinstance(step, Remove)}
    assert removed == {paths.UNIT_FILE, paths.DROP_IN}


def test_a_host_without_it_is_as_declared() -> None:
    host = blank_host()
    assert planned(host, spec(driver={"manage": False}, ollama={"state": "absent"}, models={"llama3.1:8b": None})).empty


def test_somebody_elses_ollama_is_left_alone() -> None:
    host = installed_by_script()
    assert planned(host, absent()).of("uninstall").empty
    host.files[paths.DROP_IN] = ("# Managed by ongpu\n", "0644")
    (blocked,) = planned(host, absent()).blocked
    assert "ollama.service on this host is not ongpu's (/etc/systemd/system/ollama.service)" in blocked.why


def test_no_stop_where_no_restart_is_allowed() -> None:
    plan = planned(configured_host(), absent(), Limits(allow_restart=False))
    assert not plan.changes
    assert plan.blocked[0].kind == "refused"


def test_models_need_a_server() -> None:
    with pytest.raises(ValidationError, match="models are declared"):
        spec(ollama={"state": "absent"})


def test_a_package_that_was_taken_over_gets_its_service_back() -> None:
    host = packaged()
    assert run(host, spec(ollama={"replace": True})) == ""
    gone = spec(ollama={"replace": True, "state": "absent"}, models={"llama3.1:8b": None})
    (change,) = planned(host, gone).changes
    assert change.summary == "give ollama.service back to the deb package and remove ollama 0.32.15"
    assert change.interrupts is Interrupts.RESTART
    drain, remove, *_, restart, tidy = change.steps
    assert isinstance(drain, Drain)
    assert remove == Remove(path=paths.DROP_IN)
    assert isinstance(restart, Run)
    assert restart.command == "systemctl restart ollama.service"
    assert isinstance(tidy, Run)
    assert planned(packaged(), gone).empty, "nothing of ongpu's is there"
    refused = planned(host, gone, Limits(allow_restart=False)).blocked
    assert "would be given back to the deb package" in refused[0].why
