"""A driver takes effect on hosts that serve: by a reload of its module where that does, by a reboot where only that
does and the policy allows it. One host's life, told in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.fleets import SMALL, Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

Controlled = Callable[..., Controller]
LOADED = "cat /sys/module/nvidia/version"


def declared(host: Host, branch: str, **driver: Any) -> dict[str, Any]:
    return fleet({host.name: SMALL}, driver={"branch": branch, **driver})


def is_proven(record: dict[str, Any]) -> bool:
    return [model["verdict"] for model in record["models"]] == ["verified"]


def test_from_blank_through_upgrade_and_downgrade_without_a_reboot(each_host: Host, controller: Controlled) -> None:
    host = each_host
    boot = host.boot_id()
    assert is_proven(controller(declared(host, "570")).report("apply", "-y")[host.name])
    assert host.out(LOADED).startswith("570.")

    new = controller(declared(host, "580"))
    record = new.report("apply", "-y")[host.name]
    assert is_proven(record), record
    assert host.out(LOADED).startswith("580.")
    assert host.out("systemctl is-active ollama nvidia-persistenced").split() == ["active", "active"]
    assert host.out("nvidia-smi --query-gpu=persistence_mode --format=csv,noheader") == "Enabled"
    assert new.report("plan")[host.name]["changes"] == []

    old = controller(declared(host, "570"))
    assert is_proven(old.report("apply", "-y")[host.name])
    assert host.out(LOADED).startswith("570.")
    assert host.boot_id() == boot
