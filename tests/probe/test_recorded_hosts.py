"""The five Ollama sections on recordings of real systemd hosts (252 and 257; Ollama's place is taken by a stand-in)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.host import codec
from ongpu.host.ollama import Api, Journal, OllamaInstall, Service
from ongpu.host.ollama_log import discoveries, loads
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.redact import redact
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.system import ManagedFiles
from ongpu.probe import frame
from ongpu.probe.output import Output, Part
from ongpu.probe.section import Section
from ongpu.probe.sections import api, files, journal, ollama, service
from tests.probe.shells import RECORDINGS

SECTIONS: dict[str, Section] = {
    module.SECTION.name: module.SECTION for module in (files, ollama, service, journal, api)
}
DROP_IN = "/etc/systemd/system/ollama.service.d/50-ongpu.conf"
HOSTS = ("bookworm-root", "trixie-root", "bookworm-user", "trixie-stopped", "trixie-bare")


def text(host: str) -> str:
    return (RECORDINGS / "probe" / f"{host}.txt").read_text()


def reading(host: str, name: str) -> Any:
    frames = frame.split(text(host))
    assert frames.complete
    return SECTIONS[name].parse(frames.outputs[name])


def value(host: str, name: str) -> Any:
    found = reading(host, name)
    assert isinstance(found, Known), found
    return found.value


@pytest.mark.parametrize("host", ["bookworm-root", "trixie-root", "bookworm-user"])
def test_service(host: str) -> None:
    found: Service = value(host, "service")
    assert (found.exists, found.is_running, found.enabled, found.needs_reload) == (True, True, "enabled", False)
    assert found.fragment == "/etc/systemd/system/ollama.service"
    assert found.drop_ins == (DROP_IN, '/etc/systemd/system/ollama.service.d/60 odd "name.conf')
    assert (found.user, found.group, found.exec_start) == ("ollama", "ollama", "/usr/local/bin/ollama serve")
    assert found.environment["SPACED"] == "a b  c"
    assert found.environment["QUOTE"] == 'say "hi"'
    assert found.environment["DOLLAR"] == "a$$b $${X}"
    assert found.environment["BACK"] == "a\\b"
    assert found.environment["NL"] == "one\ntwo"
    assert found.environment["TICK"] == "a`b"
    assert found.environment["UTF"] == "café"
    assert found.environment["EMPTY"] == ""
    assert found.environment["FROM_ODD"] == "1"
    assert len(found.environment) == 19
    assert found.environment_files == ("/etc/default/ollama", "/etc/ollama-extra.env")
    assert found.properties["DeviceAllow"] == "/dev/nvidiactl rw\nchar-nvidia-uvm rw"
    assert found.properties["LimitMEMLOCK"] == "infinity"
    assert isinstance(found.started_at, Known)
    assert found.started_at.value.date() == datetime(2026, 11, 24, tzinfo=UTC).date()
    assert len(found.invocation_id) == 32
    assert isinstance(found.main, Known)
    main = found.main.value
    assert (main.pid, main.parent_pid, main.user) == (found.main_pid, 1, "ollama")
    assert main.command[-1] == "serve"
    assert isinstance(main.started_at, Known)
    assert abs((main.started_at.value - found.started_at.value).total_seconds()) < 2
    assert isinstance(found.runners, Known)
    (runner,) = found.runners.value
    assert (runner.model_path, runner.port, runner.orphan) == ("/m/a", 46000, False)
    assert runner.process.parent_pid == main.pid


def test_environ_is_the_running_process_s_own_and_only_for_root() -> None:
    found = value("trixie-root", "service")
    environ = found.main.value.environ
    assert isinstance(environ, Known)
    assert environ.value["NL"] == "one\ntwo"
    assert environ.value["UTF"] == "café"
    assert environ.value["FROM_FILE"] == "yes"
    assert environ.value["HOME"] == "/usr/share/ollama"
    blind = value("bookworm-user", "service").main.value
    assert isinstance(blind.environ, Unreadable)
    assert "permission denied" in blind.environ.why
    assert "root" in blind.environ.allow
    assert isinstance(blind.exe, Unreadable)


def test_a_stopped_service_and_none_at_all() -> None:
    stopped: Service = value("trixie-stopped", "service")
    assert (stopped.exists, stopped.is_running, stopped.main_pid) == (True, False, 0)
    assert isinstance(stopped.main, Absent)
    assert stopped.runners == Known((), "/proc")
    bare: Service = value("trixie-bare", "service")
    assert (bare.exists, bare.load_state, bare.environment) == (False, "not-found", {})


def test_install() -> None:
    for host in ("bookworm-root", "trixie-root", "bookworm-user", "trixie-stopped"):
        found: OllamaInstall = value(host, "ollama")
        (binary,) = found.binaries
        assert (binary.path, binary.resolved) == ("/usr/local/bin/ollama", "/usr/local/bin/ollama")
        assert isinstance(binary.version, Known)
        assert binary.version.value == "0.33.0-rc2"
        (tree,) = found.trees
        assert tree.entries == ("cuda_v12/", "cuda_v13/", "libggml-base.so", "llama-server")
        assert tree.backends == ("cuda_v13",)
        assert found.release == Known("0.33.0-rc2", "/opt/ongpu/ollama/current")
        assert found.kept == ("0.32.15", "0.33.0-rc2")
        assert isinstance(found.account, Known)
        assert (found.account.value.name, found.account.value.home) == ("ollama", "/usr/share/ollama")
        assert found.packaging == ()
    assert isinstance(reading("trixie-bare", "ollama"), Absent)


def test_files() -> None:
    found: ManagedFiles = value("bookworm-root", "files")
    unit = found.files["/etc/systemd/system/ollama.service"]
    assert isinstance(unit, Known)
    assert (unit.value.mode, unit.value.owner, unit.value.ours) == ("600", "root", False)
    assert isinstance(unit.value.content, Known)
    assert unit.value.content.value.startswith("[Unit]\nDescription=Ollama Service\n")
    drop_in = found.files[DROP_IN]
    assert isinstance(drop_in, Known)
    assert isinstance(drop_in.value.content, Known)
    assert "café" in drop_in.value.content.value
    modules = found.files["/etc/modules-load.d/ongpu-nvidia.conf"]
    assert isinstance(modules, Known)
    assert modules.value.ours
    large = found.files["/etc/apt/keyrings/ongpu-nvidia.asc"]
    assert isinstance(large, Known)
    assert isinstance(large.value.content, Absent)
    link = found.files["/etc/apt/preferences.d/ongpu-nvidia"]
    assert isinstance(link, Unreadable)
    assert "/dev/null" in link.why
    assert isinstance(found.files["/etc/apt/sources.list.d/ongpu-nvidia.sources"], Absent)


def test_files_that_an_ordinary_user_may_not_see_are_not_absent() -> None:
    found: ManagedFiles = value("bookworm-user", "files")
    hidden = found.files["/etc/apt/sources.list.d/ongpu-nvidia.sources"]
    assert isinstance(hidden, Unreadable)
    assert "/etc/apt/sources.list.d may not be searched" in hidden.why
    unit = found.files["/etc/systemd/system/ollama.service"]
    assert isinstance(unit, Unreadable)
    assert "permission denied" in unit.why
    assert "root" in unit.allow


def test_journal() -> None:
    found: Journal = value("bookworm-root", "journal")
    assert (found.truncated, found.suppressed) == (False, 0)
    (gpu,) = discoveries(found.lines)
    assert (gpu.library, gpu.pci_id) == ("cuda", "0000:01:00.0")
    (load,) = loads(found.lines)
    assert (load.complete, load.offloaded, load.port) == (True, ((7, 7),), 46000)
    assert "bad ?? utf8 error caf??" in found.lines
    assert isinstance(value("trixie-stopped", "journal"), Journal)
    assert isinstance(reading("trixie-bare", "journal"), Absent)
    blind = reading("bookworm-user", "journal")
    assert isinstance(blind, Unreadable)
    assert "systemd-journal" in blind.allow


def test_api() -> None:
    for host in ("bookworm-root", "trixie-root", "bookworm-user"):
        found: Api = value(host, "api")
        assert found.endpoint == "http://127.0.0.1:11434"
        assert isinstance(found.version, Known)
        assert found.version.value == "0.33.0-rc2"
        assert isinstance(found.models, Known)
        assert [model.name for model in found.models.value] == ["a:latest", "b:latest"]
        assert isinstance(found.loaded, Known)
        (loaded,) = found.loaded.value
        assert (loaded.name, loaded.size_bytes, loaded.size_vram_bytes, loaded.context_length) == ("a", 10, 10, 4096)
    stopped: Api = value("trixie-stopped", "api")
    assert isinstance(stopped.version, Absent)
    assert isinstance(stopped.loaded, Absent)


@pytest.mark.parametrize("host", HOSTS)
def test_a_recorded_host_survives_the_way_through_json(host: str) -> None:
    read = {name: reading(host, name) for name in SECTIONS}
    snapshot = replace(HostSnapshot.unreadable("not part of this recording"), **read)
    assert codec.load(json.loads(json.dumps(codec.dump(snapshot)))) == snapshot
    clean = json.dumps(codec.dump(redact(snapshot)))
    assert "http://u:p@x:1" not in clean  # the proxy in the recorded settings
    assert codec.load(json.loads(clean)) == redact(snapshot)


@given(st.sampled_from(HOSTS), st.data())
@settings(max_examples=60, deadline=None)
def test_a_connection_that_breaks_anywhere(host: str, data: st.DataObject) -> None:
    whole = text(host)
    frames = frame.split(whole[: data.draw(st.integers(0, len(whole)))])
    for name, one in SECTIONS.items():
        one.parse(frames.outputs.get(name, Output(name)))


@given(st.sampled_from(HOSTS), st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_text(host: str, data: st.DataObject) -> None:
    whole = text(host)
    at = data.draw(st.integers(0, len(whole)))
    junk = data.draw(st.text(max_size=60))
    frames = frame.split(whole[:at] + junk + whole[at + data.draw(st.integers(0, 200)) :])
    for name, one in SECTIONS.items():
        one.parse(frames.outputs.get(name, Output(name)))


PART_NAMES = [
    "show", "stat", "btime", "owner", "nspid", "cmdline:7", "environ:7", "exe:7", "unit", "access", "first", "load:7",
    "last", "endpoint", "version", "tags", "ps", "sha256", "state:/x", f"state:{DROP_IN}", f"content:{DROP_IN}",
    "binary:/b", "version:/b", "tree:/t", "backends:/t", "kept", "current", "passwd", "groups", "packaging",
]  # fmt: skip
PIECES = st.one_of(
    st.text(max_size=120),
    st.sampled_from(
        [
            "base64\nAAAA", "hex\n00 6f", "hex\nzz", "LoadState=loaded\nInvocationID=ab", "0\nreadable /x", "file",
            "7 (ollama) S 1 " + "1 " * 40, "/proc/7 ollama", "/proc/7/status:NSpid:\t7", "http://127.0.0.1:1 environ 7",
            '{"models": [{"name": 1}]}\n200',
            '{"models": null}\n200', '{"version": []}\n200', "[" * 5000, "1.5 x\n@cut", "absent",
            "600 root root 99999 " + DROP_IN, "99999999999999.9 x", "cgroup docker", "ollama:x:1:1::/h:/s",
        ]
    ),
)  # fmt: skip


@given(st.sampled_from(sorted(SECTIONS)), st.data())
@settings(max_examples=250, deadline=None)
def test_any_output_gives_a_reading(name: str, data: st.DataObject) -> None:
    parts = data.draw(
        st.dictionaries(
            st.sampled_from(PART_NAMES),
            st.builds(Part, st.sampled_from([0, 0, 0, 1, 7, 28, 124, None]), PIECES, st.sampled_from(["", "", "curl"])),
        )
    )
    found = SECTIONS[name].parse(Output(name, parts, data.draw(st.booleans())))
    assert isinstance(found, Known | Absent | Unreadable)
