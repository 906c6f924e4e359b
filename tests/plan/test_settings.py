"""What is declared of every GPU: set now and at each boot, held against readings, refused with the card's limits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pydantic import ValidationError

from ongpu.host import paths
from ongpu.host.gpu import Gpu, GpuSettings
from ongpu.host.platform import Fabric, SettingsUnit
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.types import Change, Drain, Interrupts, Limits, Plan, Put, Reboot, Run
from ongpu.spec.model import HostSpec
from tests.plan.builders import TUESDAY, converge, planned, spec
from tests.plan.runs import run
from tests.plan.world import World

NONE = Absent("nvidia-smi: [N/A]")


def said(value: Any) -> Known[Any]:
    return Known(value, "nvidia-smi")


@dataclass
class Card(World):
    """An L4 whose settings can be read and set; a boot undoes what is volatile."""

    watts: float = 72.0
    persistence: bool = False
    compute_mode: str = "Default"
    ecc: bool = True
    ecc_pending: bool = True
    ecc_is_stubborn: bool = False
    has_ecc: bool = True
    power: Reading[float] = field(default_factory=lambda: said(72.0))  # the highest limit
    ran: bool = False

    def snapshot(self) -> HostSnapshot:
        snapshot = super().snapshot()
        if not isinstance(snapshot.nvml, Known) or not isinstance(snapshot.nvml.value.gpus, Known):
            return snapshot
        gpus = tuple(self._card(gpu) for gpu in snapshot.nvml.value.gpus.value)
        nvml = replace(snapshot.nvml.value, gpus=said(gpus))
        return replace(snapshot, nvml=said(nvml), fabric=said(self._fabric()))

    def _card(self, gpu: Gpu) -> Gpu:
        power = self.power if not isinstance(self.power, Known) else said(self.watts)
        settings = GpuSettings(
            power_min_watts=said(40.0) if isinstance(self.power, Known) else self.power,
            power_max_watts=self.power,
            ecc=said(self.ecc) if self.has_ecc else NONE,
            ecc_pending=said(self.ecc_pending) if self.has_ecc else NONE,
        )
        info = replace(
            gpu.info,
            name="NVIDIA L4",
            persistence=said(self.persistence),
            compute_mode=said(self.compute_mode),
        )
        performance = replace(
            gpu.performance,
            power_limit_watts=power,
            max_sm_clock_mhz=said(2040),
            max_memory_clock_mhz=said(6251),
        )
        return replace(gpu, info=info, performance=performance, settings=settings)

    def _fabric(self) -> Fabric:
        there = paths.GPU_SERVICE in self.files
        state = "active" if self.ran else "inactive"
        unit = SettingsUnit(state=state, enabled="enabled", result="success", needs_reload=False)
        return Fabric(
            switches=said(()),
            managed_by_nic=said(False),
            manager=Absent("there is no unit"),
            persistenced=Absent("there is no unit"),
            settings_unit=said(unit) if there else Absent("there is no unit"),
        )

    def _run(self, what: str, script: str) -> None:
        match what.split(" ")[0]:
            case "set":
                self._set()
            case "turn":
                self.ecc_pending = what == "turn ECC on"
            case "remove" if paths.GPU_UNIT in what:
                del self.files[paths.GPU_SERVICE]
            case _:
                super()._run(what, script)

    def _set(self) -> None:
        self.ran = True
        for line in self.files[paths.GPU_SERVICE][0].splitlines():
            words = line.removeprefix("ExecStart=/usr/bin/nvidia-smi ").split()
            match words:
                case ["-pl", watts] if isinstance(self.power, Known):
                    self.watts = float(watts)
                case ["-pm", mode]:
                    self.persistence = mode == "1"
                case ["-c", mode]:
                    self.compute_mode = {"DEFAULT": "Default", "EXCLUSIVE_PROCESS": "Exclusive_Process"}[mode]
                case _:
                    pass

    def _reboot(self) -> None:
        if not self.ecc_is_stubborn:
            self.ecc = self.ecc_pending
        self.watts, self.persistence, self.compute_mode, self.ran = 72.0, False, "Default", False
        super()._reboot()
        if paths.GPU_SERVICE in self.files:
            self._set()


def card(declared: HostSpec | None = None, **attributes: Any) -> Card:
    host = Card()
    converge(host, declared or spec())
    for name, value in attributes.items():
        setattr(host, name, value)
    return host


def settings(**declared: Any) -> HostSpec:
    driver = {"settings": declared, "reboot": declared.pop("reboot", "bootstrap")}
    return spec(driver=driver)


def of(host: World, declared: HostSpec, resource: str = "settings") -> Plan:
    return planned(host, declared).of(resource)


def only(plan: Plan) -> Change:
    assert not plan.blocked, plan.blocked
    (change,) = plan.changes
    return change


ALL = {
    "persistence": True,
    "power_limit_watts": 60,
    "clocks": {"graphics": [300, 1500], "memory": 6251},
    "compute_mode": "exclusive_process",
}


def test_nothing_declared_nothing_planned() -> None:
    assert of(card(), spec()).empty
    assert of(card(), spec(), "ecc").empty


def test_all_of_it() -> None:
    host = card()
    change = only(of(host, settings(**ALL)))
    assert change.interrupts is Interrupts.NONE
    put, apply = change.steps
    assert isinstance(put, Put)
    assert isinstance(apply, Run)
    commands = [line for line in put.content.splitlines() if line.startswith("ExecStart=")]
    assert commands == [
        f"ExecStart=/usr/bin/nvidia-smi {words}"
        for words in ("-pm 1", "-pl 60", "-lgc 300,1500", "-lmc 6251,6251", "-c EXCLUSIVE_PROCESS")
    ]
    assert "GPU 0: power limit is 72 W" in change.summary
    assert run(host, settings(**ALL)) == ""
    assert planned(host, settings(**ALL)).empty


def test_they_are_set_at_each_boot() -> None:
    host = card(settings(**ALL))
    host._reboot()
    assert host.watts == 60
    assert planned(host, settings(**ALL)).of("settings").empty


@pytest.mark.parametrize(
    ("drift", "words"),
    [
        ({"watts": 72.0}, "GPU 0: power limit is 72 W"),
        ({"persistence": False}, "GPU 0: persistence is off"),
        ({"compute_mode": "Default"}, "GPU 0: compute mode is Default"),
        ({"ran": False}, "ongpu-gpu.service is inactive"),
    ],
)
def test_drift_is_seen_and_mended(drift: dict[str, Any], words: str) -> None:
    host = card(settings(**ALL), **drift)
    change = only(of(host, settings(**ALL)))
    assert words in change.summary
    assert [type(step) for step in change.steps] == [Run]
    host.apply(change)
    assert of(host, settings(**ALL)).empty


@pytest.mark.parametrize(
    ("declared", "attributes", "words"),
    [
        ({"power_limit_watts": 300}, {}, "is 300, and GPU 0 (NVIDIA L4) takes 40 to 72 W"),
        ({"power_limit_watts": 20}, {}, "takes 40 to 72 W"),
        ({"power_limit_watts": 60}, {"power": NONE}, "does not have that"),
        ({"clocks": {"graphics": [300, 2100]}}, {}, "up to 2100 MHz, and GPU 0 (NVIDIA L4) to 2040"),
        ({"clocks": {"memory": 9000}}, {}, "to 6251"),
    ],
)
def test_what_a_card_does_not_take(declared: dict[str, Any], attributes: dict[str, Any], words: str) -> None:
    (blocked,) = of(card(**attributes), settings(**declared)).blocked
    assert blocked.kind == "unsupported"
    assert words in blocked.why


def test_what_cannot_be_read_is_not_as_declared() -> None:
    (blocked,) = of(card(power=Unreadable("[Unknown Error]")), settings(power_limit_watts=60)).blocked
    assert blocked.kind == "unknown"
    host = card(settings(**ALL))
    host.blind = {"nvml": Unreadable("no answer")}
    (blocked,) = of(host, settings(**ALL)).blocked
    assert blocked.kind == "unknown"


def test_no_longer_declared() -> None:
    host = card(settings(**ALL))
    assert only(of(host, spec())).summary.startswith("remove ongpu-gpu.service")
    assert run(host, spec()) == ""
    assert paths.GPU_SERVICE not in host.files


# --- ECC


def test_ecc_needs_a_reboot_that_the_policy_allows() -> None:
    host = card(process=None)
    (blocked,) = of(host, settings(ecc=False), "ecc").blocked
    assert blocked.kind == "refused"
    assert "ECC is to be off on GPU 0" in blocked.why
    assert "needs a reboot" in blocked.why
    assert host.ecc_pending, "nothing was set"
    allowed = settings(ecc=False, reboot="window")
    change = only(of(host, allowed, "ecc"))
    assert change.interrupts is Interrupts.REBOOT
    assert [type(step) for step in change.steps] == [Run, Put, Reboot]
    assert run(host, allowed) == ""
    assert (host.ecc, host.boots) == (False, 2)


def test_ecc_waits_until_nothing_is_served() -> None:
    change = only(of(card(), settings(ecc=False, reboot="window"), "ecc"))
    assert Drain in {type(step) for step in change.steps}
    plan = planned(card(), settings(ecc=False, reboot="window"), Limits(allow_reboot=False), TUESDAY)
    (blocked,) = plan.of("ecc").blocked
    assert "may not reboot" in blocked.why


def test_a_reboot_that_did_not_help_is_not_repeated() -> None:
    host = card(ecc_is_stubborn=True)
    declared = settings(ecc=False, reboot="window")
    assert "after the reboot that was made for it" in run(host, declared)
    assert host.boots == 2
    assert "after the reboot that was made for it" in run(host, declared)
    assert host.boots == 2


def test_a_pending_mode_that_is_not_wanted_is_taken_back() -> None:
    host = card(ecc_pending=False)
    change = only(of(host, settings(ecc=True), "ecc"))
    assert change.interrupts is Interrupts.NONE
    host.apply(change)
    assert host.ecc_pending


def test_a_card_without_ecc() -> None:
    (blocked,) = of(card(has_ecc=False), settings(ecc=True), "ecc").blocked
    assert "GPU 0 (NVIDIA L4) has no ECC" in blocked.why
    assert of(card(has_ecc=False), settings(ecc=False), "ecc").empty


@pytest.mark.parametrize(
    "declared",
    [
        {"clocks": {"graphics": [1500, 300]}},
        {"clocks": {"graphics": [1500]}},
        {"power_limit_watts": 0},
        {"compute_mode": "prohibited"},
        {"fan": 1},
    ],
)
def test_declarations_that_make_no_sense(declared: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**declared)
    with pytest.raises(ValidationError, match="settings needs"):
        spec(driver={"manage": False, "settings": {"ecc": True}})
