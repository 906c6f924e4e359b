"""account, unit, override, restart and models over the life of a service."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ongpu.host import paths
from ongpu.host.ollama import Process, Runner
from ongpu.host.paths import DERIVED as DERIVED_RECORD
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.system import KernelLine
from ongpu.plan.types import Change, Drain, Interrupts, Limits, Put
from tests.plan.builders import blank_host, configured_host, installed_by_script, planned, spec
from tests.plan.runs import run
from tests.plan.test_convergence import CLOSED, OPEN
from tests.plan.world import BOOT, World


def restart_of(host: World, **over: object) -> Change:
    (change,) = planned(host, spec(**over)).of("restart").changes
    return change


def test_an_existing_unit_is_adopted_and_never_edited() -> None:
    host = installed_by_script()
    assert run(host, spec()) == ""
    assert paths.UNIT_FILE not in host.files
    assert paths.DROP_IN in host.files
    assert planned(host).empty


def test_a_unit_that_starts_another_program_gets_ours_by_the_drop_in() -> None:
    host = installed_by_script(foreign_program="/usr/bin/ollama", exe="/usr/bin/ollama")
    (change,) = planned(host).of("override").changes
    put = change.steps[0]
    assert isinstance(put, Put)
    assert f"ExecStart=\nExecStart={paths.BINARY} serve\n" in put.content
    assert run(host, spec()) == ""
    assert planned(host).empty


def test_a_later_drop_in_is_named_and_no_restart_is_wasted() -> None:
    host = configured_host()
    host.other_drop_ins[f"{paths.DROP_IN_DIR}/90-site.conf"] = {"OLLAMA_CONTEXT_LENGTH": "4096"}
    plan = planned(host)
    assert not plan.changes
    assert "90-site.conf sets it to 4096: remove that there" in plan.of("override").blocked[0].why
    assert plan.of("restart").deferred[0].why == "waits for override, which is blocked"


def test_an_environment_file_that_beats_us_is_named_after_one_restart() -> None:
    host = configured_host()
    host.environment_file = {"OLLAMA_CONTEXT_LENGTH": "4096"}
    host.process = {"PATH": "/usr/bin"}
    assert "/etc/default/ollama beats every drop-in" in run(host, spec())
    started = host.started
    assert "/etc/default/ollama beats every drop-in" in run(host, spec())
    assert host.started == started, "not restarted again"


def test_a_restart_is_planned_from_the_process_and_says_why() -> None:
    host = configured_host()
    change = restart_of(host, models={"llama3.1:8b": {"context": 16384}})
    assert "OLLAMA_CONTEXT_LENGTH is 8192, declared 16384" in change.summary
    assert change.interrupts is Interrupts.RESTART
    assert isinstance(change.steps[0], Drain)
    host.exe = f"{paths.RELEASES}/0.31.2/bin/ollama"
    assert "it runs /opt/ongpu/ollama/0.31.2/bin/ollama, not" in restart_of(host).summary
    host = configured_host()
    host.exe += " (deleted)"
    assert "was replaced" in restart_of(host).summary
    host = configured_host()
    host.started = BOOT
    assert "it was started before the driver was loaded" in restart_of(host).summary


def test_a_start_in_the_second_in_which_the_driver_came_is_no_reason() -> None:
    """systemd prints whole seconds, the kernel log fractions: a service that waits for the driver starts right then."""
    host = configured_host()
    loaded = next(line.at for line in host.kernel_lines if line.at and "loading NVIDIA UNIX" in line.text)
    text = "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.95.05"
    host.kernel_lines.append(KernelLine(at=loaded + timedelta(milliseconds=400), text=text))
    host.started = loaded
    assert planned(host).of("restart").empty
    host.started = loaded - timedelta(seconds=1)
    assert "it was started before the driver was loaded" in restart_of(host).summary


def test_an_upgrade_knows_its_way_back() -> None:
    host = configured_host()
    newer = spec(ollama={"release": "0.33.0"})
    for change in planned(host, newer).of("ollama").changes:
        host.apply(change)
    (change,) = planned(host, newer).of("restart").changes
    script = change.steps[-1].stdin  # type: ignore[union-attr]
    assert script is not None
    assert "OLD=0.32.15\n" in script
    assert "OLD=''\n" in (restart_of(host, models={"llama3.1:8b": {"context": 16384}}).steps[-1].stdin or "")  # type: ignore[union-attr]


def test_what_was_declared_once_does_not_linger() -> None:
    host = configured_host(spec(ollama={"env": {"OLLAMA_MAX_QUEUE": 4}}))
    assert "OLLAMA_MAX_QUEUE is still set, but declared nowhere" in restart_of(host).summary
    assert run(host, spec()) == ""
    assert "OLLAMA_MAX_QUEUE" not in (host.process or {})


def test_cosmetic_differences_restart_nothing() -> None:
    host = configured_host()
    assert host.process is not None
    host.process |= {"LANG": "C", "PATH": "/elsewhere", "HOME": "/root", "INVOCATION_ID": "x", "JOURNAL_STREAM": "8:9"}
    assert planned(host).empty
    content, _ = host.files[paths.DROP_IN]
    host.files[paths.DROP_IN] = (content.replace("left alone.", "left alone!"), "0644")
    plan = planned(host)
    assert [change.resource for change in plan.changes] == ["override"]
    assert run(host, spec()) == ""
    assert host.started == configured_host().started


def test_no_restart_outside_the_window_or_where_it_is_not_allowed() -> None:
    host = configured_host()
    over = {"models": {"llama3.1:8b": {"context": 16384}}}
    (blocked,) = planned(host, spec(**over, service={"window": CLOSED})).of("restart").blocked
    assert (blocked.kind, CLOSED in blocked.why) == ("refused", True)
    (blocked,) = planned(host, spec(**over), Limits(allow_restart=False)).of("restart").blocked
    assert blocked.why.endswith("this run may not restart services")
    assert planned(host, spec(**over, service={"window": OPEN})).of("restart").changes


def test_one_that_is_down_is_started_at_any_time() -> None:
    host = configured_host()
    host.process = None
    (change,) = planned(host, spec(service={"window": CLOSED}), Limits(allow_restart=False)).of("restart").changes
    assert (change.summary, change.interrupts) == ("start ollama.service (it is not running)", Interrupts.NONE)


def test_one_that_is_disabled_is_enabled_without_a_restart() -> None:
    host = configured_host()
    host.enabled = False
    (change,) = planned(host).changes
    assert (change.summary, change.interrupts) == ("enable ollama.service at boot", Interrupts.NONE)


def test_a_kill_between_the_file_and_the_reload_heals() -> None:
    host = configured_host()
    over = {"models": {"llama3.1:8b": {"context": 16384}}}
    (change,) = planned(host, spec(**over)).of("override").changes
    host.apply(change, steps=1)
    (change,) = planned(host, spec(**over)).of("override").changes
    assert change.summary == "let systemd read its unit files again"
    assert run(host, spec(**over)) == ""


def test_a_process_of_the_boot_without_a_gpu_is_restarted_once() -> None:
    """The kernel's line is gone from its ring: the journal and the clock tell."""
    host = configured_host()
    host.kernel_lines.clear()
    host.journal = ('time=x level=INFO source=types.go:60 msg="inference compute" id=cpu library=cpu',)
    host.started, host.clock = BOOT + timedelta(minutes=1), BOOT + timedelta(hours=5)
    plan = planned(host)
    if not plan.of("restart").changes:
        pytest.fail(f"not noticed: {plan}")
    assert "it was started at boot and found no GPU" in restart_of(host).summary
    host.apply(restart_of(host))
    assert planned(host).empty, "a second restart would not help"


def test_an_environment_that_cannot_be_read_is_unknown() -> None:
    host = configured_host()
    snapshot = host.snapshot()
    assert isinstance(snapshot.service, Known)
    host.blind = {"service": Unreadable("systemctl gave no answer")}
    plan = planned(host)
    assert not plan.changes
    assert all(blocked.kind == "unknown" for blocked in plan.blocked)


def test_a_look_without_permission_says_so_and_what_allows_it() -> None:
    host = configured_host()
    host.exe_reading = Unreadable("/proc/725/exe: exit 1: no output", "run as root (sudo)")
    (blocked,) = planned(host).of("restart").blocked
    assert blocked.kind == "unknown"
    assert blocked.why == (
        "cannot tell which Ollama is running: no permission to look: /proc/725/exe: exit 1: no output (run as root "
        "(sudo))"
    )


def test_another_models_directory_defers_the_pull_into_it() -> None:
    host, declared = configured_host(), spec(ollama={"models_dir": "/data/models"})
    plan = planned(host, declared)
    assert plan.of("models").deferred[0].why == "can only be known once Ollama runs with its new models directory"
    assert run(host, declared) == ""
    assert planned(host, declared).empty
    assert (host.models_dir, list(host.store)) == ("/data/models", ["llama3.1:8b"])
    assert planned(host).of("models").deferred, "back again: the old directory may have changed"
    assert run(host, spec()) == ""
    assert host.models_dir == ""


def test_a_models_directory_of_someone_elses_unit_is_no_new_one() -> None:
    host = configured_host()
    host.other_drop_ins[f"{paths.DROP_IN_DIR}/10-site.conf"] = {"OLLAMA_MODELS": "/theirs"}
    host.process = (host.process or {}) | {"OLLAMA_MODELS": "/theirs"}
    plan = planned(host, spec(models={"llama3.1:8b": {"context": 16384}}))
    assert plan.of("restart").changes
    assert plan.of("models").empty


def test_the_account_gets_the_group_of_nodes_that_it_may_not_open() -> None:
    assert planned(blank_host()).of("account").changes[0].summary == "create the system user ollama"
    assert planned(configured_host()).of("account").empty
    assert planned(installed_by_script()).of("account").empty


def test_models_are_pulled_once_and_again_when_the_tag_has_moved() -> None:
    host = configured_host()
    assert planned(host, spec(models={"llama3.1:8b": {"digest": "sha256:" + "a" * 64}})).empty
    moved = spec(models={"llama3.1:8b": {"digest": "sha256:" + "b" * 64}})
    (change,) = planned(host, moved).changes
    assert change.summary == "pull llama3.1:8b (it is sha256:aaaaaaaaaaaa, declared sha256:bbbbbbbbbbbb)"
    host.registry["llama3.1:8b"] = "b" * 64
    assert run(host, moved) == ""


def test_a_name_without_a_tag_is_latest() -> None:
    host = configured_host(spec(models={"nomic-embed-text": {}}))
    assert "nomic-embed-text:latest" in host.store
    assert planned(host, spec(models={"nomic-embed-text": {}})).empty


DERIVED: dict[str, Any] = {
    "llama3.1:8b": None,
    "mine": {"from": "llama3.1:8b", "context": 16384, "parameters": {"temperature": 0.2}},
}


def test_a_derived_model_is_made_once_and_anew_when_something_of_it_changes() -> None:
    host, declared = configured_host(), spec(models=DERIVED)
    (change,) = planned(host, declared).of("models").changes
    assert change.summary == "make mine from llama3.1:8b: num_ctx 16384, temperature 0.2"
    assert run(host, declared) == ""
    assert planned(host, declared).empty
    assert host.process
    assert host.process["OLLAMA_CONTEXT_LENGTH"] == "4096", "its context is its own, not the service's"
    other = spec(models={**DERIVED, "mine": {**DERIVED["mine"], "parameters": {"temperature": 0.7}}})
    (change,) = planned(host, other).of("models").changes
    assert "anew: num_ctx 16384, temperature 0.7" in change.summary
    host.store["llama3.1:8b"] = "c" * 64
    assert planned(host, declared).changes, "its base has moved on"
    assert run(host, declared) == ""
    host.store["mine:latest"] = "e" * 64
    assert planned(host, declared).changes, "somebody made it anew"
    host.files.pop(DERIVED_RECORD)
    (change,) = planned(host, declared).changes
    assert "(ongpu did not make the one that is there)" in change.summary


def test_the_base_of_a_derived_model_is_pulled_first() -> None:
    host = configured_host(spec(models={"llama3.1:8b": None, "other": {}}))
    declared = spec(models={"llama3.1:8b": None, "mine": {"from": "tiny"}})
    assert [change.summary for change in planned(host, declared).of("models").changes] == [
        "pull tiny",
        "make mine from tiny: no parameters",
    ]
    assert run(host, declared) == ""


def test_prune_removes_what_is_not_declared_and_not_loaded() -> None:
    host = configured_host()
    host.store |= {"old:latest": "b" * 64, "used:latest": "c" * 64, "base:latest": "d" * 64}
    host.resident = ("used:latest",)
    assert planned(host).empty, "only where the inventory says so"
    declared = spec(ollama={"prune": True}, models={"mine": {"from": "base"}})
    host_changes = [change.summary for change in planned(host, declared).of("models").changes]
    assert host_changes == ["make mine from base: no parameters", "remove old:latest (5.0 GiB, not declared)"]
    assert run(host, declared) == ""
    assert set(host.store) == {"llama3.1:8b", "used:latest", "base:latest", "mine:latest"}
    nothing = spec(ollama={"prune": True}, models={"llama3.1:8b": None})
    assert not planned(host, nothing).of("models").changes, "nothing declared is no order to remove everything"


def test_a_model_in_another_spelling_is_the_same() -> None:
    host = configured_host()
    declared = spec(models={"llama3.1:8b": None, "library/Llama3.1:8B": {"context": 8192}}, ollama={"prune": True})
    assert planned(host, declared).of("models").empty


def test_an_api_that_is_down_while_the_service_runs_is_unknown() -> None:
    host = configured_host()
    host.api_is_down = True
    (blocked,) = planned(host).blocked
    assert (blocked.resource, blocked.kind) == ("models", "unknown")
    assert isinstance(host.snapshot().api, Absent)


def test_prerequisites_are_only_what_the_steps_need() -> None:
    everything = planned(blank_host(tools=set())).of("prerequisites").changes[0].summary
    assert everything == "install ca-certificates, coreutils, curl, mawk, tar, zstd"
    only = planned(blank_host(tools=set()), spec(ollama={"manage": False}))
    assert not only.of("prerequisites").changes, "the key is in the inventory: no tool is needed for the driver"


def orphan(
    exe: str = "/opt/ongpu/ollama/0.32.15/lib/ollama/llama-server", parent: int = 1, user: str = "ollama"
) -> Runner:
    process = Process(
        pid=4711,
        parent_pid=parent,
        user=user,
        exe=Known(exe, "/proc"),
        command=(exe, "--model", "/blob"),
        environ=Known({}, "/proc"),
        started_at=Known(BOOT, "/proc"),
    )
    return Runner(process=process, model_path="/blob", port=40002, orphan=True)


def test_a_runner_whose_server_is_gone_is_ended() -> None:
    host = configured_host()
    host.orphans = (orphan(),)
    (change,) = planned(host).of("restart").changes
    assert change.summary == "end the orphaned runner 4711 (the server that loaded it is gone)"
    assert change.interrupts is Interrupts.NONE
    assert run(host, spec()) == ""
    assert host.orphans == ()


@pytest.mark.parametrize(
    "runner", [orphan("/home/ops/llama.cpp/build/bin/llama-server"), orphan(parent=4000), orphan(user="ops")]
)
def test_somebody_elses_runner_is_left_alone(runner: Runner) -> None:
    assert planned(configured_host(orphans=(runner,))).empty


@pytest.mark.parametrize(
    ("env", "keep", "context"),
    [({}, "300", "8192"), ({"OLLAMA_KEEP_ALIVE": "24h"}, "86400", "8192"), ({"OLLAMA_KEEP_ALIVE": "-1"}, "-1", "8192")],
)
def test_a_restart_knows_what_models_are_given_by_default(env: dict[str, str], keep: str, context: str) -> None:
    host = configured_host(spec(ollama={"env": env}))
    script = restart_of(host, models={"llama3.1:8b": {"context": 16384}}).steps[-1].stdin or ""  # type: ignore[union-attr]
    for line in (f"KEEP={keep}", f"CONTEXT={context}", "GPUS=1", "WANTED=0.32.15", "DECLARED=llama3.1:8b"):
        assert f"\n{line}\n" in script
