"""The drift check's timer: installed, kept, and found when it is silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ongpu.host import paths
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.watch import WatchState
from ongpu.plan.build import plan
from ongpu.plan.own_spec import own_fleet_file
from ongpu.plan.types import Change, Limits, Now, Plan, Put, Run
from ongpu.report import formats
from ongpu.spec.load import load
from ongpu.spec.model import HostSpec, Watch
from ongpu.spec.values import report_formats
from tests.plan.builders import TUESDAY, configured_host, planned, spec
from tests.plan.world import World

PROGRAM = "/usr/local/bin/ongpu"
TEXTFILE = "/var/lib/prometheus/node-exporter/ongpu.prom"


def watch_state(**over: Any) -> WatchState:
    base = WatchState(
        program=Known(PROGRAM, "command -v ongpu"),
        version=Absent("no venv"),
        timer_loaded=True,
        timer_active=True,
        timer_enabled=True,
        needs_reload=False,
        triggered_at=Known(TUESDAY - timedelta(minutes=7), "LastTriggerUSec"),
        result=Known("success", "Result"),
        exit_code=Known(0, "ExecMainStatus"),
    )
    return replace(base, **over)


FRESH = Known(
    watch_state(timer_loaded=False, timer_active=False, timer_enabled=False, triggered_at=Absent("never"),
                result=Absent("never"), exit_code=Absent("never")),
    "systemctl show",
)  # fmt: skip


class Watching:
    """A configured host; files that a change puts are there afterwards, and its timer runs."""

    def __init__(self, state: Reading[WatchState] = FRESH, **watch: Any) -> None:
        self.spec = spec(watch=watch)
        self.host: World = configured_host(spec())
        self.state = state

    def snapshot(self) -> HostSnapshot:
        return replace(self.host.snapshot(), watch=self.state)

    def plan(self, at: datetime = TUESDAY) -> Plan:
        return plan(self.spec, self.snapshot(), Now(at), Limits()).of("watch")

    def change(self) -> Change:
        (change,) = self.plan().changes
        return change

    def apply(self) -> dict[str, str]:
        """Path -> what was written."""
        puts = {step.path: step for step in self.change().steps if isinstance(step, Put)}
        for step in puts.values():
            self.host.files[step.path] = (step.content, step.mode)
        self.state = Known(watch_state(), "systemctl show")
        return {path: step.content for path, step in puts.items()}


def test_a_host_watches_itself() -> None:
    host = Watching(out={"prometheus": TEXTFILE}, debounce=3)
    assert host.change().summary.endswith("check every 15 min")
    files = host.apply()
    assert set(files) == {paths.WATCH_SERVICE, paths.WATCH_TIMER, paths.WATCH_FLEET, paths.WATCH_KEY}
    service, timer = files[paths.WATCH_SERVICE], files[paths.WATCH_TIMER]
    assert (
        f"ExecStart={PROGRAM} drift --debounce 3 -i /etc/ongpu/fleet.yaml --history /var/lib/ongpu/history "
        f"--local-name gpu01 --out prometheus={TEXTFILE}\n"
    ) in service
    assert "SuccessExitStatus=2 3 4\n" in service
    for line in ("OnCalendar=*:0/15", "RandomizedDelaySec=300", "Persistent=true"):
        assert f"{line}\n" in timer
    assert host.plan().empty


def test_a_controller_watches_a_fleet() -> None:
    host = Watching(fleet="/srv/my fleet", user="ops", every="1h", out={"html": "/srv/www/100%.html"})
    files = host.apply()
    assert set(files) == {paths.WATCH_SERVICE, paths.WATCH_TIMER}
    assert "User=ops\nWorkingDirectory=/srv/my fleet\n" in files[paths.WATCH_SERVICE]
    assert f'ExecStart={PROGRAM} drift --debounce 1 --out "html=/srv/www/100%%.html"\n' in files[paths.WATCH_SERVICE]
    assert "OnCalendar=0/1:00\n" in files[paths.WATCH_TIMER]


def test_what_is_written_for_the_host_is_what_is_declared_for_it(tmp_path: Path) -> None:
    declared = spec(
        watch={"every": "30m"},
        service={"window": "Sat 02:00-05:00 Europe/Berlin", "drain": "90s"},
        ollama={"env": {"OLLAMA_FLASH_ATTENTION": True, "HTTPS_PROXY": "http://u:p@proxy:3128"}},
        expect={"gpus": 1},
    )
    text = own_fleet_file(declared)
    file = tmp_path / "fleet.yaml"
    key = tmp_path / "key.asc"
    key.write_text(declared.driver.repository.key_text or "")
    file.write_text(text.replace(paths.WATCH_KEY, str(key)))
    (read,) = load(file).hosts
    here = {"name", "origin", "driver", "watch"}
    assert read.model_dump(exclude=here) == declared.model_dump(exclude=here)
    assert read.watch is None  # one that does not run cannot say so
    assert read.driver.repository.key_text == declared.driver.repository.key_text
    assert read.name == "@local"


def test_secrets_of_the_environment_are_not_in_the_diff() -> None:
    host = Watching()
    host.spec = spec(watch={}, ollama={"env": {"API_TOKEN": "s3cret"}})
    change = host.change()
    assert "s3cret" not in change.diff
    (own,) = [step for step in change.steps if isinstance(step, Put) and step.path == paths.WATCH_FLEET]
    assert own.mode == "0600"


def test_without_ongpu_on_the_host_it_is_refused_with_what_to_declare() -> None:
    (blocked,) = Watching(state=Absent("no timer")).plan().blocked
    assert blocked.kind == "refused"
    assert "watch.package" in blocked.why


def test_a_package_is_installed_first() -> None:
    steps = Watching(state=Absent("no timer"), package="ongpu==0.1.0").change().steps
    assert isinstance(steps[0], Run)
    assert steps[0].what == "install ongpu==0.1.0 into /opt/ongpu/venv"
    assert any(isinstance(step, Put) and "ExecStart=/opt/ongpu/venv/bin/ongpu " in step.content for step in steps)


@pytest.mark.parametrize(
    ("package", "version", "again"),
    [
        ("ongpu", "0.1.0", False),
        ("ongpu==0.1.0", "0.1.0", False),
        ("ongpu==0.2.0", "0.1.0", True),
        ("https://mirror.example/ongpu-0.1.0-py3-none-any.whl", "0.1.0", False),
        ("https://mirror.example/ongpu-0.2.0-py3-none-any.whl", "0.1.0", True),
    ],
)
def test_another_version_is_installed_again(package: str, version: str, again: bool) -> None:
    there = watch_state(program=Known("/opt/ongpu/venv/bin/ongpu", "x"), version=Known(version, "x"))
    steps = Watching(state=Known(there, "x"), package=package).change().steps
    assert any(isinstance(step, Run) and step.what.startswith("install ") for step in steps) is again


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"timer_active": False}, "check every 15 min"),
        ({"timer_enabled": False}, "check every 15 min"),
        ({"exit_code": Known(1, "x"), "result": Known("exit-code", "x")}, "ended with exit-code (exit 1)"),
        ({"exit_code": Known(15, "x"), "result": Known("timeout", "x")}, "ended with timeout (exit 15)"),
        ({"triggered_at": Known(TUESDAY - timedelta(hours=3), "x")}, "the last one was 3 h ago, 15 min is declared"),
    ],
)
def test_a_check_that_does_not_do_its_work_is_a_difference(state: dict[str, Any], said: str) -> None:
    host = Watching()
    host.apply()
    host.state = Known(watch_state(**state), "systemctl show")
    assert said in host.change().summary


def test_a_check_that_failed_over_a_file_is_run_again_with_the_mended_one() -> None:
    host = Watching()
    host.apply()
    host.host.files[paths.WATCH_FLEET] = ("hosts: {", "0600")
    host.state = Known(watch_state(exit_code=Known(1, "x"), result=Known("exit-code", "x")), "systemctl show")
    change = host.change()
    assert change.summary.endswith("check every 15 min; run the check again: the last one ended with exit-code "
                                   "(exit 1), see `journalctl -u ongpu-drift`")  # fmt: skip
    assert [step.what for step in change.steps if isinstance(step, Run)][-1] == "run the drift check"


def test_what_a_check_found_is_no_failure_of_the_check() -> None:
    host = Watching()
    host.apply()
    for code in (0, 2, 3, 4):
        host.state = Known(watch_state(exit_code=Known(code, "x")), "systemctl show")
        assert host.plan().empty


def test_a_blind_look_is_never_as_declared() -> None:
    host = Watching()
    host.apply()
    host.state = Unreadable("systemctl: no answer")
    (blocked,) = host.plan().blocked
    assert (blocked.kind, "no answer" in blocked.why) == ("unknown", True)


def test_hosts_without_a_declared_check_are_left_alone() -> None:
    assert planned(configured_host()).of("watch").empty


@pytest.mark.parametrize(
    ("watch", "said"),
    [
        ({"every": "7m"}, "does not divide an hour"),
        ({"every": "25h"}, "does not divide an hour"),
        ({"every": 0}, "does not divide an hour"),
        ({"fleet": "/srv/fleet"}, "watch.fleet needs watch.user"),
        ({"user": "ops"}, "watch.user is for watch.fleet"),
        ({"out": {"xml": "/tmp/x"}}, "'xml' is not a report format"),
        ({"package": "ongpu; rm -rf /"}, "is neither a package"),
        ({"package": "http://mirror.example/ongpu-1-py3-none-any.whl"}, "is neither a package"),
        ({"fleet": "/srv/fleet", "user": "root; x"}, "is not a user name"),
    ],
)
def test_bad_values_are_said(watch: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Watch.model_validate(watch)


def test_every_report_format_can_be_declared() -> None:
    assert report_formats(dict.fromkeys(formats(), "/tmp/x"))


@given(
    st.text(max_size=40).filter(lambda text: "/" not in text and text.strip() == text and text not in ("", ".", ".."))
)
@settings(max_examples=50, deadline=None)
def test_any_path_is_refused_or_becomes_one_word(name: str) -> None:
    """systemd's own reading of such lines is tested in the lab."""
    try:
        declared = Watch.model_validate({"fleet": f"/srv/{name}", "user": "ops", "out": {"json": f"/srv/{name}.json"}})
    except ValidationError:
        return
    host = Watching()
    host.spec = HostSpec.model_validate({**spec().model_dump(), "watch": declared.model_dump()})
    if host.plan().changes:
        assert "\n\n" not in host.apply()[paths.WATCH_SERVICE].split("[Service]")[1]


def test_the_file_is_plain_yaml() -> None:
    body = yaml.safe_load(own_fleet_file(spec(service={"drain": "2h"})))
    assert body["hosts"]["@local"]["service"] == {"drain": "7200s"}
    assert "ssh" not in body["hosts"]["@local"]


assert TUESDAY.tzinfo is UTC


def test_the_key_that_a_host_keeps_for_itself_makes_the_keyring_that_is_there() -> None:
    """On the host the key is read from a file of ours, which has our comment already."""
    host = Watching()
    kept = host.apply()[paths.WATCH_KEY]
    own = spec(driver={"repository": {"key_text": kept}})
    assert plan(own, host.snapshot(), Now(TUESDAY), Limits()).of("repository").empty
