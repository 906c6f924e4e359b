"""A run is taken back: only what it changed, only where it is not so already, and nothing where a rule says no."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ongpu.host import paths
from ongpu.host.reading import Known
from ongpu.host.run_record import FILES, State
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.system import Package
from ongpu.plan import shell
from ongpu.plan.context import Context
from ongpu.plan.types import Drain, Interrupts, Limits, Now, Plan, Put, Reboot, Remove, Run
from ongpu.plan.undo import Record, undo
from tests.plan.bench import Bench
from tests.plan.builders import TUESDAY, configured_host, spec
from tests.plan.world import World, client

RUN = "20261124T100000Z-0123456789ab"
NONE = dict.fromkeys(FILES)
OLD_DROP_IN = '# Managed by ongpu\n[Service]\nEnvironment="OLLAMA_HOST=127.0.0.1:9999"\n'


def state(**over: object) -> State:
    host: dict[str, object] = {
        "files": {**NONE, paths.DROP_IN: ("a" * 64, "644"), paths.UNIT_FILE: ("b" * 64, "644")},
        "current": "0.32.15", "binary": f"link {paths.CURRENT}/bin/ollama", "enabled": "enabled", "active": "active",
        "packages": {"nvidia-driver-cuda": ("580.95.05-1", True)},
    }  # fmt: skip
    return State(**host | over)  # type: ignore[arg-type]


def record(before: State, after: State | None = None, now: State | None = None, **over: object) -> Record:
    after = after or state()
    made = Record(run=RUN, before=before, after=after, now=now or after, files={}, present={})
    return replace(made, **over)  # type: ignore[arg-type]


def undone(made: Record, host: World | None = None, limits: Limits | None = None, **over: object) -> Plan:
    snapshot = (host or configured_host()).snapshot()
    return undo(Context(spec=spec(**over), snapshot=snapshot, now=Now(TUESDAY), limits=limits or Limits()), made)


def drop_in(digest: str) -> dict[str, object]:
    return {**state().files, paths.DROP_IN: (digest * 64, "600")}


def test_a_run_that_changed_nothing_leaves_nothing_to_do() -> None:
    assert undone(record(state())).empty


def test_a_file_comes_back_with_its_mode_and_the_service_is_restarted_with_care() -> None:
    plan = undone(record(state(files=drop_in("c")), files={paths.DROP_IN: OLD_DROP_IN}, present={paths.DROP_IN: "x\n"}))
    file, again = plan.changes
    assert file.steps[0] == Put(path=paths.DROP_IN, content=OLD_DROP_IN, mode="0600")
    assert "+[Service]" in file.diff
    assert isinstance(again.steps[0], Drain)
    assert again.interrupts is Interrupts.RESTART
    assert "\nAPI=http://127.0.0.1:9999\n" in (again.steps[-1].stdin or "")  # type: ignore[union-attr]


def test_an_earlier_state_that_was_worse_is_given_back_all_the_same() -> None:
    """The health gate compares a restart with the service before it; an undo is asked for with open eyes."""
    (*_, change) = undone(record(state(files=drop_in("c")), files={paths.DROP_IN: "old"})).changes
    script = change.steps[-1].stdin  # type: ignore[union-attr]
    assert script is not None
    assert "GPUS=''\n" in script
    assert "DECLARED=''\n" in script


def test_what_somebody_changed_back_already_is_left_alone() -> None:
    before = state(files=drop_in("c"))
    assert undone(record(before, now=before)).empty


def test_what_the_run_did_not_touch_is_left_alone() -> None:
    assert undone(record(state(), after=state(), now=state(files=drop_in("d"), current="0.33.0"))).empty


def test_the_previous_release_comes_back_if_it_is_still_there() -> None:
    made = record(state(current="0.31.2"))
    host = configured_host()
    host.kept.add("0.31.2")
    release, again = undone(made, host).changes
    assert release.summary == "put ollama 0.31.2 back (it is 0.32.15)"
    script = again.steps[-1].stdin or ""  # type: ignore[union-attr]
    assert "\nWANTED=0.31.2\n" in script
    assert "\nOLD=0.32.15\n" in script
    (blocked,) = undone(made).blocked
    assert "ollama 0.31.2 was removed from this host since" in blocked.why


def test_a_first_run_is_taken_back_from_the_service_down() -> None:
    before = state(files=NONE, current="", binary="", enabled="not-found", active="inactive", packages={})
    plan = undone(record(before, after=state(), now=state()), configured_host())
    assert [change.resource for change in plan.changes] == ["restart", "files", "files", "ollama", "driver"]
    assert plan.changes[0].summary == "stop and disable ollama.service"
    removed = [step.path for change in plan.changes for step in change.steps if isinstance(step, Remove)]
    assert set(removed) == {paths.DROP_IN, paths.UNIT_FILE}
    assert "nvidia-driver-cuda-" in (plan.changes[-1].steps[0].stdin or "")  # type: ignore[union-attr]


def test_a_service_that_the_run_stopped_is_started() -> None:
    gone = state(files=NONE, current="", binary="", enabled="not-found", active="inactive")
    files = {paths.DROP_IN: OLD_DROP_IN, paths.UNIT_FILE: "[Service]\n"}
    host = configured_host()
    host.process = None
    plan = undone(record(state(), after=gone, files=files), host)
    assert plan.changes[-1].summary == "start ollama.service"
    assert "enable --quiet --now ollama.service" in plan.changes[-1].steps[0].command  # type: ignore[union-attr]


OLDER = state(packages={"nvidia-driver-cuda": ("570.195.03-1", False)})


def test_a_driver_comes_back_by_a_reload_where_that_does() -> None:
    (change,) = undone(record(OLDER)).changes
    assert change.interrupts is Interrupts.RESTART
    assert change.summary == "driver packages: nvidia-driver-cuda 570.195.03-1 back, by a reload of the kernel module"
    assert isinstance(change.steps[0], Drain)
    script = change.steps[1].stdin or ""  # type: ignore[union-attr]
    assert "PACKAGES=nvidia-driver-cuda=570.195.03-1\n" in script
    assert "UNHOLD=nvidia-driver-cuda\n" in script
    (blocked,) = undone(record(OLDER), limits=Limits(allow_restart=False)).blocked
    assert blocked.kind == "refused"


def test_a_driver_that_somebody_else_uses_comes_back_only_where_a_reboot_is_allowed() -> None:
    host = configured_host()
    host.clients = (client("trainer"),)
    (blocked,) = undone(record(OLDER), host).blocked
    assert "this needs a reboot (trainer (pid " in blocked.why
    assert "driver.reboot is `bootstrap`" in blocked.why
    (change,) = undone(record(OLDER), host, driver={"reboot": "window"}).changes
    assert change.interrupts is Interrupts.REBOOT
    assert [type(step) for step in change.steps[:3]] == [Drain, Run, Reboot]


def test_holds_alone_need_no_reboot() -> None:
    (change,) = undone(record(state(packages={"nvidia-driver-cuda": ("580.95.05-1", False)}))).changes
    assert change.interrupts is Interrupts.NONE
    assert change.summary == "driver packages: holds as they were"


def test_all_or_nothing_where_no_restart_is_allowed() -> None:
    made = record(state(files=drop_in("c")), files={paths.DROP_IN: OLD_DROP_IN})
    plan = undone(made, limits=Limits(allow_restart=False))
    assert not plan.changes
    assert plan.blocked[0].kind == "refused"


def test_a_content_that_could_not_be_read_is_unknown() -> None:
    (blocked,) = undone(record(state(files=drop_in("c")))).blocked
    assert blocked.kind == "unknown"


def put_back(bench: Bench, version: str, was: str) -> tuple[int, str]:
    place = bench.place
    for name in ("1.0.0", "2.0.0"):
        (place / "releases" / name / "bin").mkdir(parents=True, exist_ok=True)
        (place / "releases" / name / "bin" / "ollama").touch(mode=0o755)
    (place / "bin").mkdir(exist_ok=True)
    current, binary = place / "releases" / "current", place / "bin" / "ollama"
    if not current.is_symlink():
        current.symlink_to("2.0.0")
        binary.symlink_to(f"{current}/bin/ollama")
    said = bench.run(
        shell.run(
            "put back", "ollama-current", "undo-release", VERSION=version, WAS=was, RELEASES=f"{place}/releases",
            CURRENT=str(current), PREVIOUS=f"{place}/releases/previous", BINARY=str(binary), BACKUPS=f"{place}/backups",
        )
    )  # fmt: skip
    return said.code, said.reason


def test_the_links_lead_to_the_release_again(bench: Bench) -> None:
    link = f"link {bench.place}/releases/current/bin/ollama"
    assert put_back(bench, "1.0.0", link) == (0, "")
    assert (bench.place / "bin" / "ollama").resolve() == bench.place / "releases" / "1.0.0" / "bin" / "ollama"


def test_somebodys_own_program_comes_back(bench: Bench) -> None:
    code, reason = put_back(bench, "", "file 0123456789abcdef")
    assert code == 1
    assert "is not there, so" in reason
    kept = Path(f"{bench.place}/backups{bench.place}/bin/ollama.0123456789abcdef")
    kept.parent.mkdir(parents=True)
    kept.write_text("theirs")
    kept.chmod(0o755)
    assert put_back(bench, "", "file 0123456789abcdef") == (0, "")
    assert (bench.place / "bin" / "ollama").read_text() == "theirs"
    assert not (bench.place / "releases" / "current").exists()


@pytest.mark.parametrize("turns", [1, 2])
def test_out_of_use(bench: Bench, turns: int) -> None:
    for _ in range(turns):
        assert put_back(bench, "", "") == (0, "")
        assert not (bench.place / "bin" / "ollama").is_symlink()


def of_rpm() -> HostSnapshot:
    """A host that passes for Rocky Linux 9, with 580."""
    host = configured_host().snapshot()
    assert isinstance(host.packages, Known)
    assert isinstance(host.system, Known)
    system = replace(host.system.value, os_id="rocky", os_version="9.6", os_like=("rhel",))
    names = ("nvidia-driver-cuda", "kmod-nvidia-open-dkms")
    installed = tuple(Package(name=name, version="580.95.05-1.el9", status="rpm", held=True) for name in names)
    packages = replace(host.packages.value, manager="dnf", installed=installed, candidates={})
    return replace(host, packages=Known(packages, "rpm -qa"), system=Known(system, "os-release"))


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ({"nvidia-driver-cuda": ("570.195.03-1.el9", True)}, ["nvidia-driver-cuda-570.195.03-1.el9", ":570-open"]),
        ({}, ["REMOVE=nvidia-driver-cuda\n"]),
        ({"nvidia-driver-cuda": ("580.95.05-1.el9", False)}, ["REMOVE=''\n", "UNHOLD=nvidia-driver-cuda\n"]),
    ],
)
def test_rpm_packages_go_back(before: dict[str, tuple[str, bool]], said: list[str]) -> None:
    after = state(packages={"nvidia-driver-cuda": ("580.95.05-1.el9", True)})
    context = Context(spec=spec(), snapshot=of_rpm(), now=Now(TUESDAY), limits=Limits())
    (change,) = undo(context, record(state(packages=before), after=after)).changes
    script = "".join(step.stdin or "" for step in change.steps if isinstance(step, Run))
    assert all(words in script for words in said), script[:2000]
