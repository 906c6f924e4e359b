"""The Ollama sections run for real, in each shell: on this machine as it is, and with tools and a /proc of our own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ongpu.host.ollama import Api, Process, Runner, Service
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.system import ManagedFile
from ongpu.probe import frame
from ongpu.probe.output import Output, Part
from ongpu.probe.script import build
from ongpu.probe.sections import api, files, journal, ollama, service
from tests.probe.shells import RECORDINGS, SHELLS, process, run, section, tool

ALL = [module.SECTION for module in (files, ollama, service, journal, api)]
NO_SYSTEMD = "echo 'System has not been booted with systemd as init system (PID 1). Can'\\''t operate.'; exit 1"
SERVER = ["/usr/local/bin/ollama", "serve"]
RUNNER = ["/usr/local/lib/ollama/llama-server", "--model", "/m/sha256-aa", "--port", "46211"]


@pytest.mark.parametrize("shell", SHELLS)
def test_on_this_machine_every_section_is_read(shell: tuple[str, ...]) -> None:
    frames = frame.split(run(shell, build(ALL)))
    assert frames.complete
    for one in ALL:
        assert frames.outputs[one.name].complete
        assert isinstance(one.parse(frames.outputs[one.name]), Known | Absent | Unreadable)


SMALL = (
    *("awk", "cat", "cut", "find", "grep", "head", "id", "ls", "od", "printf", "readlink", "sed"),
    *("sleep", "sort", "tail", "timeout", "tr", "true", "wc"),
)


@pytest.mark.parametrize("shell", [one for one in SHELLS if one.id != "busybox"])  # it has its own tools on any path
def test_missing_tools_are_named(shell: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without systemd, an HTTP client, stat, sha256sum and base64."""
    interpreter = shutil.which(shell[0])
    assert interpreter
    bare, proc, etc = tmp_path / "bare", tmp_path / "proc", tmp_path / "etc"
    bare.mkdir()
    for name in SMALL:
        (bare / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(bare))
    process(proc, 725, 1, SERVER, b"MULTI=one\ntwo\0")
    (etc / "modules-load.d").mkdir(parents=True)
    (etc / "modules-load.d/ongpu-nvidia.conf").write_text("nvidia\n")
    # The script appends the usual directories to PATH: here they are nowhere.
    script = (
        build(ALL).replace(":/usr/local/sbin:", ":/nowhere #").replace("/etc/modules-load.d", f"{etc}/modules-load.d")
    )
    text = run((interpreter, *shell[1:]), script, proc=proc).replace(str(etc), "/etc")
    outputs = frame.split(text).outputs
    asked = api.SECTION.parse(outputs["api"])
    assert isinstance(asked, Known)
    assert asked.value.version == Unreadable("no HTTP client", "install curl (or wget)")
    assert journal.SECTION.parse(outputs["journal"]) == Absent("no systemd journal: systemctl is not installed")
    running = value(service.parse(outputs["service"]))
    assert main(running).environ == Known({"MULTI": "one\ntwo"}, "/proc/725/environ")
    looked = files.parse(outputs["files"])
    assert isinstance(looked, Known)
    unread = looked.value.files["/etc/modules-load.d/ongpu-nvidia.conf"]
    assert isinstance(unread, Unreadable)
    assert "stat is not installed" in unread.why


def services(shell: tuple[str, ...], tools: Path, proc: Path) -> Known[Service] | Absent | Unreadable:
    return service.parse(section(shell, service.SECTION, tools, proc))


def value(found: Known[Service] | Absent | Unreadable) -> Service:
    assert isinstance(found, Known), found
    return found.value


def runners(found: Service) -> tuple[Runner, ...]:
    assert isinstance(found.runners, Known)
    return tuple(found.runners.value)


def main(found: Service) -> Process:
    assert isinstance(found.main, Known)
    return found.main.value


def systemctl(tools: Path, pid: int) -> None:
    shown = f"LoadState=loaded\nActiveState=active\nMainPID={pid}\nEnvironment=\nInvocationID="
    tool(tools, "systemctl", f"printf '%s\\n' '{shown}'")


@pytest.mark.parametrize("shell", SHELLS)
class TestProcesses:
    def test_children_helpers_orphans_and_containers(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        tools, proc = tmp_path / "tools", tmp_path / "proc"
        systemctl(tools, 725)
        process(proc, 1, 0, ["/sbin/init"])
        process(proc, 725, 1, SERVER, b"OLLAMA_HOST=:1\0MULTI=one\ntwo\0UTF=caf\xc3\xa9\0BAD=\xff\0NOTHING\0")
        process(proc, 808, 725, RUNNER, start=200)
        process(proc, 809, 725, ["/usr/local/lib/ollama/llama-server", "--list-devices"])
        process(proc, 810, 1, [*RUNNER[:2], "/m/orphaned"])
        process(
            proc, 811, 725, ["/usr/local/bin/ollama", "runner", "--ollama-engine", "--model", "/m/old", "--port", "9"]
        )
        process(proc, 900, 1, ["/usr/bin/ollama", "serve"])
        process(proc, 901, 900, [*RUNNER[:2], "/m/by-hand"])
        process(proc, 950, 940, [*RUNNER[:2], "/m/in-a-container"])
        (proc / "950" / "status").write_text("Name:\tllama-server\nNSpid:\t950\t7\n")
        process(proc, 990, 1, ["/usr/bin/vim", "--model", "x"])
        found = value(services(shell, tools, proc))
        server = main(found)
        assert (server.pid, server.parent_pid, server.command) == (725, 1, tuple(SERVER))
        assert isinstance(server.environ, Known)
        assert server.environ.value == {"OLLAMA_HOST": ":1", "MULTI": "one\ntwo", "UTF": "café", "BAD": "\ufffd"}
        assert server.exe == Known("/usr/local/bin/ollama", "/proc/725/exe")
        assert server.user
        mine = {runner.process.pid: runner for runner in runners(found)}
        assert set(mine) == {808, 810, 811}
        assert (mine[808].model_path, mine[808].port, mine[808].orphan) == ("/m/sha256-aa", 46211, False)
        assert (mine[810].model_path, mine[810].port, mine[810].orphan) == ("/m/orphaned", None, True)
        assert (mine[811].model_path, mine[811].port, mine[811].orphan) == ("/m/old", 9, False)
        assert isinstance(mine[808].process.started_at, Known)
        assert mine[808].process.started_at.value.timestamp() == 1700000002

    def test_a_process_that_is_gone(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        tools, proc = tmp_path / "tools", tmp_path / "proc"
        systemctl(tools, 725)
        process(proc, 1, 0, ["/sbin/init"])
        found = value(services(shell, tools, proc))
        assert isinstance(found.main, Unreadable)
        assert isinstance(found.runners, Unreadable)

    def test_without_systemd(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        tools, proc = tmp_path / "tools", tmp_path / "proc"
        tool(tools, "systemctl", NO_SYSTEMD)
        process(proc, 1, 0, ["/sbin/init"])
        found = services(shell, tools, proc)
        assert found == Absent("systemd does not run here; no process `ollama serve`")
        process(proc, 725, 1, SERVER)
        process(proc, 808, 725, RUNNER)
        running = value(services(shell, tools, proc))
        assert (running.exists, running.load_state, running.main_pid) == (False, "no-systemd", 725)
        assert [runner.orphan for runner in runners(running)] == [False]

    def test_systemd_does_not_answer(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        tools, proc = tmp_path / "tools", tmp_path / "proc"
        tool(tools, "systemctl", "echo 'Failed to connect to bus: No such file or directory' >&2; exit 1")
        process(proc, 725, 1, SERVER)
        found = services(shell, tools, proc)
        assert isinstance(found, Unreadable)
        assert "Failed to connect to bus" in found.why


@pytest.mark.parametrize("shell", SHELLS)
class TestFiles:
    def look(self, shell: tuple[str, ...], root: Path) -> dict[str, Known[ManagedFile] | Absent | Unreadable]:
        """The section on a tree of our own: /etc is `root`."""
        script = build((files.SECTION,)).replace("/etc/", f"{root}/")
        text = run(shell, script).replace(f"{root}/", "/etc/")
        found = files.parse(frame.split(text).outputs["files"])
        assert isinstance(found, Known)
        return dict(found.value.files)

    def test_there_absent_and_odd(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        unit = tmp_path / "systemd" / "system" / "ollama.service"
        unit.parent.mkdir(parents=True)
        unit.write_text("# Managed by ongpu\n[Service]\nEnvironment=UTF=é\n")
        unit.chmod(0o640)
        pins = tmp_path / "apt" / "preferences.d"
        pins.mkdir(parents=True)
        os.mkfifo(pins / "ongpu-nvidia")
        keys = tmp_path / "apt" / "keyrings"
        keys.mkdir()
        (keys / "ongpu-nvidia.asc").write_bytes(b"\x99\x01\xff\x00")
        modules = tmp_path / "modules-load.d"
        modules.mkdir()
        (modules / "ongpu-nvidia.conf").write_text("# Managed by ongpu\n" + "x" * 40000)
        found = self.look(shell, tmp_path)
        mine = found["/etc/systemd/system/ollama.service"]
        assert isinstance(mine, Known)
        assert (mine.value.mode, mine.value.ours) == ("640", True)
        assert mine.value.content == Known(unit.read_text(), "/etc/systemd/system/ollama.service")
        assert len(mine.value.sha256) == 64
        assert isinstance(found["/etc/systemd/system/ollama.service.d/50-ongpu.conf"], Absent)
        fifo = found["/etc/apt/preferences.d/ongpu-nvidia"]
        assert isinstance(fifo, Unreadable)
        assert "not a regular file" in fifo.why
        key = found["/etc/apt/keyrings/ongpu-nvidia.asc"]
        assert isinstance(key, Known)
        assert key.value.content == Absent("not text")
        large = found["/etc/modules-load.d/ongpu-nvidia.conf"]
        assert isinstance(large, Known)
        assert (large.value.ours, large.value.content) == (True, Absent("larger than 32 KiB"))

    def test_nothing_changes(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        before = sorted(str(path) for path in tmp_path.rglob("*"))
        assert all(isinstance(reading, Absent) for reading in self.look(shell, tmp_path).values())
        assert sorted(str(path) for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("gpu", [True, False])
def test_the_installation(shell: tuple[str, ...], gpu: bool, tmp_path: Path) -> None:
    """Two installs and our release, in a tree of our own."""
    tools = tmp_path / "tools"
    root = tmp_path / "root"
    release = root / "opt/ongpu/ollama/0.33.0"
    tool_body = 'echo "Warning: could not connect to a running Ollama instance"; echo "Warning: client version is $V"'
    for place, version in ((release, "0.33.0"), (root / "usr", "0.5.7")):
        (place / "bin").mkdir(parents=True)
        tool(place / "bin", "ollama", f"[ $OLLAMA_HOST = 127.0.0.1:1 ] || exit 3; V={version}; {tool_body}")
    (release / "lib/ollama/cuda_v13").mkdir(parents=True)
    (release / "lib/ollama/cuda_v13/libggml-cuda.so").touch()
    (release / "lib/ollama/mlx_cuda_v13").mkdir()
    (release / "lib/ollama/llama-server").touch()
    (root / "usr/lib/ollama/runners").mkdir(parents=True)
    (root / "opt/ongpu/ollama/.partial").mkdir()
    (root / "opt/ongpu/ollama/current").symlink_to("0.33.0")
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/ollama").symlink_to("../../../opt/ongpu/ollama/current/bin/ollama")
    tool(tools, "systemctl", f"echo 'ExecStart={{ path={root}/usr/local/bin/ollama ; argv[]=x ; }}'; echo User=llm")
    tool(tools, "getent", "[ $2 = llm ] && echo llm:x:990:980::/srv/llm:/bin/false")
    tool(tools, "id", "echo llm video render")
    process(tmp_path / "proc", 60, 1, ["/usr/bin/ollama", "serve"])
    (tmp_path / "proc/60/cgroup").write_text("0::/system.slice/docker-4f3c.scope\n")
    (tmp_path / "proc/60/root/dev").mkdir(parents=True)
    if gpu:
        (tmp_path / "proc/60/root/dev/nvidia0").touch()
    script = build((ollama.SECTION,))
    for place in ("/usr/", "/opt/", "/snap/", "/var/"):
        head, mark, body = script.partition("sec_ollama()")
        script = head + mark + body.replace(f" {place}", f" {root}{place}")
    text = run(shell, script, tools, tmp_path / "proc").replace(str(root), "")
    found = ollama.parse(frame.split(text).outputs["ollama"])
    assert isinstance(found, Known)
    install = found.value
    assert [(binary.path, binary.resolved) for binary in install.binaries] == [
        ("/usr/local/bin/ollama", "/opt/ongpu/ollama/0.33.0/bin/ollama"),
        ("/usr/bin/ollama", "/usr/bin/ollama"),
    ]
    versions = [binary.version for binary in install.binaries]
    assert [version.value for version in versions if isinstance(version, Known)] == ["0.33.0", "0.5.7"]
    trees = {tree.path: tree for tree in install.trees}
    assert trees["/opt/ongpu/ollama/0.33.0/lib/ollama"].entries == ("cuda_v13/", "llama-server", "mlx_cuda_v13/")
    assert trees["/opt/ongpu/ollama/0.33.0/lib/ollama"].backends == ("cuda_v13",)
    assert trees["/usr/lib/ollama"].entries == ("runners/",)
    assert install.release == Known("0.33.0", "/opt/ongpu/ollama/current")
    assert install.kept == ("0.33.0",)
    assert isinstance(install.account, Known)
    assert (install.account.value.name, install.account.value.uid) == ("llm", 990)
    assert install.account.value.groups == ("llm", "video", "render")
    assert "docker" in install.packaging
    assert install.container_has_gpu == Known(gpu, "/proc/PID/root/dev")


def curl(tools: Path, **answers: str) -> None:
    cases = "\n".join(f"*/api/{name}) {body} ;;" for name, body in answers.items())
    tool(tools, "curl", f'for url; do :; done\ncase $url in {cases}\n*) echo "curl: (7) Failed" >&2; exit 7 ;; esac')


def served(name: str) -> str:
    return f"cat {RECORDINGS / 'ollama' / name / 'ps.json'}; echo; echo 200"


@pytest.mark.parametrize("shell", SHELLS)
class TestApi:
    def ask(self, shell: tuple[str, ...], tools: Path, tmp_path: Path) -> Api:
        if not (tools / "systemctl").exists():
            tool(tools, "systemctl", "echo MainPID=0; echo Environment=; echo EnvironmentFiles=")
        process(tmp_path / "proc", 1, 0, ["/sbin/init"])
        found = api.parse(section(shell, api.SECTION, tools, tmp_path / "proc"))
        assert isinstance(found, Known)
        return found.value

    def test_answers_of_a_real_server(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        tools = tmp_path / "tools"
        curl(
            tools,
            version="""echo '{"version":"0.33.0-rc2"}'; echo 200""",
            tags="""echo '{"models":null}'; echo 200""",
            ps=served("two-gpus-sched-spread"),
        )
        found = self.ask(shell, tools, tmp_path)
        assert found.version == Known("0.33.0-rc2", "http://127.0.0.1:11434/api/version")
        assert found.models == Known((), "http://127.0.0.1:11434/api/tags")
        assert isinstance(found.loaded, Known)
        (model,) = found.loaded.value
        assert (model.name, model.size_bytes, model.size_vram_bytes) == ("big:latest", 1223467990, 1223467990)
        assert (model.context_length, model.digest[:8]) == (8192, "0c96fa0d")

    def test_one_question_without_an_answer(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        tools = tmp_path / "tools"
        curl(
            tools,
            version="""echo '{"version":"0.33.0-rc2"}'; echo 200""",
            tags="""echo '{"error":"store is broken"}'; echo 500""",
            ps='echo "curl: (28) Operation timed out after 5001 milliseconds" >&2; exit 28',
        )
        found = self.ask(shell, tools, tmp_path)
        assert isinstance(found.version, Known)
        assert found.models == Unreadable("http://127.0.0.1:11434/api/tags: HTTP 500: store is broken")
        assert found.loaded == Unreadable("http://127.0.0.1:11434/api/ps: no answer within 5 s")

    def test_nothing_listens(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        tools = tmp_path / "tools"
        curl(tools)
        found = self.ask(shell, tools, tmp_path)
        assert found.version == found.models == found.loaded == Absent("nothing listens on http://127.0.0.1:11434")
        # A server runs, but where it listens could not be read: nothing on the default address proves nothing.
        tool(tools, "systemctl", "echo MainPID=9; echo Environment=; echo EnvironmentFiles=/etc/x")
        blind = self.ask(shell, tools, tmp_path / "again")
        assert isinstance(blind.version, Unreadable)
        assert "root" in blind.version.allow

    def test_something_else_answers(self, shell: tuple[str, ...], tmp_path: Path) -> None:
        tools = tmp_path / "tools"
        curl(tools, version="echo '<html>'; echo 200", tags="echo; echo 403", ps="echo '[]'; echo 200")
        found = self.ask(shell, tools, tmp_path)
        assert isinstance(found.version, Unreadable)
        assert "not the expected answer" in found.version.why


def answer(**parts: str) -> Api:
    output = Output(
        "api",
        {"endpoint": Part(0, "http://h environ 1"), "version": Part(0, '{"version":"1"}\n200')}
        | {name: Part(0, text) for name, text in parts.items()},
        True,
    )
    found = api.parse(output)
    assert isinstance(found, Known)
    return found.value


@pytest.mark.parametrize(
    "body",
    [
        "[]", "{}", '{"models": 1}', '{"models": [1]}', '{"models": [{}]}', "", "{", '{"models": [{"name": 1}]}',
        '{"models": [{"name": "a", "digest": "d", "size": true, "size_vram": 0}]}',
        '{"models": [{"name": "a", "digest": "d", "size": 1.5, "size_vram": 0}]}',
        '{"models": [{"name": "a", "digest": "d", "size": 1}]}', "[" * 100_000,
    ],
)  # fmt: skip
def test_wrong_shapes_are_unreadable(body: str) -> None:
    assert isinstance(answer(ps=body + "\n200").loaded, Unreadable)


def test_older_servers_and_remote_models() -> None:
    # /api/ps has no context_length before 0.9.7
    loaded = answer(ps='{"models":[{"name":"a","digest":"sha256:d","size":2,"size_vram":0}]}').loaded
    assert isinstance(loaded, Known)
    assert (loaded.value[0].context_length, loaded.value[0].digest) == (None, "d")
    tags = '{"models":[{"name":"a:cloud","digest":"d","size":2,"remote_host":"https://ollama.com:443"}]}'
    models = answer(tags=tags).models
    assert isinstance(models, Known)
    assert models.value[0].remote
