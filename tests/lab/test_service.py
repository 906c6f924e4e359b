"""Ollama as a service over its life: upgraded, downgraded, restarted with care, rolled back. One host, step by step."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ongpu_lab import faults
from ongpu_lab.lab import Lab
from tests.lab.fleets import BIN, SMALL, Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

MODEL = "llama3.2:3b"
API = "http://127.0.0.1:11434"
OLD, NEW = "0.24.0", "0.32.15"
DROP_IN = "/etc/systemd/system/ollama.service.d/50-ongpu.conf"


class Server:
    """The host as its clients and its operator see it."""

    def __init__(self, host: Host, controller: Callable[..., Controller]) -> None:
        self.host, self._controller = host, controller

    # One inventory file for all: a Controller is good until the next is made.
    def on(self, release: str = NEW, service: Mapping[str, Any] | None = None, **ollama: Any) -> Controller:
        declared = {"ollama": {"release": release, **ollama}, "service": {"drain": "60s", **(service or {})}}
        return self._controller(fleet({"lab1": SMALL}, **declared))

    def controlled(self, declared: Mapping[str, Any]) -> Controller:
        return self._controller(declared)

    def asks(self, path: str, body: Mapping[str, Any] | None = None, seconds: int = 60) -> dict[str, Any]:
        data = f"-d '{json.dumps(body)}'" if body is not None else ""
        answer = self.host.out(f"curl --silent --show-error --max-time {seconds} {data} {API}{path}", seconds + 20)
        return dict(json.loads(answer))

    def writes(self, path: str, text: str) -> None:
        done = self.host.lab.run("lab1", "sh", "-euc", 'mkdir -p "${1%/*}"; cat >"$1"', "sh", path, stdin=text)
        assert done.returncode == 0, done.stderr

    def version(self) -> str:
        return str(self.asks("/api/version")["version"])

    def resident(self) -> list[dict[str, Any]]:
        return list(self.asks("/api/ps")["models"])

    def generates(self, tokens: int = 8, **more: Any) -> dict[str, Any]:
        options = {"num_predict": tokens}
        return self.asks("/api/generate", {"model": MODEL, "prompt": "Hi", "stream": False, "options": options, **more})

    def started(self) -> str:
        return self.host.out("systemctl show -p ExecMainStartTimestamp -p MainPID ollama")

    def journal(self) -> str:
        return self.host.out("journalctl -b -t ongpu -o cat")


@pytest.fixture(scope="module")
def machine(lab: Lab) -> Iterator[Host]:
    """lab1, blank at the beginning of this file."""
    faults.clear(lab, host="")
    host = Host(lab, "lab1")
    host.reset()
    yield host
    for name, where in faults.active(lab):
        if where in ("", "lab1"):
            faults.clear(lab, name, where or None)


@pytest.fixture
def server(machine: Host, controller: Callable[..., Controller]) -> Server:
    """It serves OLD; made so by the first test that asks."""
    made = Server(machine, controller)
    if machine.run("test -e /opt/ongpu/ollama/current").returncode != 0:
        assert made.on(OLD).report("apply", "-y")["lab1"]["models"][0]["verdict"] == "verified"
    return made


@pytest.mark.parametrize(
    ("fault", "says"),
    [("wrong-checksum", "the release's list says"), ("server-down", "github.com"), ("disk-full", "disk full")],
)
def test_a_failed_upgrade_never_touches_the_service(server: Server, lab: Lab, fault: str, says: str) -> None:
    before = server.started()
    of_lab = faults.find(fault).of_lab
    faults.apply(lab, faults.find(fault), None if of_lab else "lab1")
    record = server.on(NEW).report("apply", "-y", expect=2)["lab1"]
    faults.clear(lab, fault, None if of_lab else "lab1")
    assert says in record["error"], record
    assert server.started() == before
    assert server.version() == OLD
    assert server.generates()["done"]


def test_a_truncated_release_of_a_mirror_is_refused_before_the_switch(server: Server, lab: Lab) -> None:
    """Its list of checksums says the same as the file: only unpacking tells."""
    site = lab.dir / "www" / "github.com"
    mirror = site / "mirror"
    mirror.mkdir(exist_ok=True)
    whole = site / f"ollama/ollama/releases/download/v{NEW}/ollama-linux-amd64.tar.zst"
    part = whole.read_bytes()[:-100_000]
    (mirror / whole.name).write_bytes(part)
    (mirror / "sha256sum.txt").write_text(f"{hashlib.sha256(part).hexdigest()}  ./{whole.name}\n")
    before = server.started()
    declared = fleet({"lab1": SMALL}, ollama={"release": NEW})
    declared["releases"] = {"ollama": {NEW: {"from": "https://github.com/mirror/"}}}
    record = server.controlled(declared).report("apply", "-y", expect=2)["lab1"]
    assert f"the archive of ollama {NEW} cannot be unpacked" in record["error"], record
    assert (server.started(), server.version()) == (before, OLD)
    assert server.host.out("ls -A /opt/ongpu/ollama") == f"{OLD}\ncurrent"


def test_killed_between_any_two_steps_it_still_serves_and_a_rerun_goes_on(server: Server) -> None:
    """Each of the upgrade's steps is let finish, then its script and the controller are killed with -9."""
    on = server.on(NEW)
    for step in ("/var/lib/ongpu/spool/*.zst", f"/opt/ongpu/ollama/{NEW}", f"/opt/ongpu/ollama/current/../{NEW}/bin"):
        killer = (
            f"for i in $(seq 600); do ls -d {step} >/dev/null 2>&1 && break; sleep 0.05; done; "
            "pkill -9 -f '^sh -s$'; pkill -9 -f 'sh -c sh -s'; pkill -9 curl; pkill -9 zstd; :"
        )
        run = on.start("apply", "-y")
        server.host.run(killer)
        run.kill()
        run.wait()
        assert server.generates()["done"], step
        assert server.version() in (OLD, NEW)
    # A step may have survived its shell: then the host is still locked for a moment.
    deadline = time.monotonic() + 120
    while (done := on.ongpu("apply", "-y")).returncode == 4 and time.monotonic() < deadline:
        assert "another ongpu run" in done.stdout, done.stdout
    assert done.returncode == 0, done.stdout
    assert server.version() == NEW
    assert on.report("plan")["lab1"]["verdict"] == "ok"


def test_down_and_up_again_models_stay_resident_with_their_own_duration(server: Server) -> None:
    server.on(NEW).report("apply", "-y")
    for release in (OLD, NEW):
        server.generates(keep_alive="5h")
        record = server.on(release).report("apply", "-y")["lab1"]
        assert record["models"][0]["verdict"] == "verified", record
        assert server.version() == release
        (model,) = server.resident()
        assert model["size"] == model["size_vram"]
        left = server.host.out(f"echo $(($(date -d {model['expires_at']} +%s) - $(date +%s)))")
        assert 4 * 3600 < int(left) <= 5 * 3600, "the duration that a client asked for"
    assert "it is ollama 0.24.0 with 1 of 1 GPUs, llama3.2:3b on the GPU" in server.journal()


def test_only_the_release_in_use_and_the_one_before_it_are_kept(server: Server) -> None:
    server.on(NEW).report("apply", "-y")
    server.host.out("mkdir -p /opt/ongpu/ollama/0.5.4/bin; touch /opt/ongpu/ollama/0.5.4/bin/ollama")
    assert server.on(NEW).report("plan", expect=2)["lab1"]["changes"] == [
        {
            "resource": "tidy", "kind": "change", "diff": "", "interrupts": "none", "state": "planned", "cause": "",
            "summary": f"remove ollama 0.5.4 ({OLD} stays, for `ongpu undo`)",
        }
    ]  # fmt: skip
    before = server.started()
    server.on(NEW).report("apply", "-y")
    assert server.host.out("ls /opt/ongpu/ollama") == f"{OLD}\n{NEW}\ncurrent\nprevious"
    assert server.started() == before


def test_a_second_run_changes_and_restarts_nothing(server: Server) -> None:
    on = server.on(NEW)
    on.report("apply", "-y")
    before = server.started()
    record = on.report("apply", "-y")["lab1"]
    assert record["changes"] == [], record
    assert server.started() == before


class Client(threading.Thread):
    """Asks for long answers, one after the other; counts those that were cut off in the middle."""

    def __init__(self, server: Server, tokens: int, pause: float) -> None:
        super().__init__(daemon=True)
        self.server, self.tokens, self.pause = server, tokens, pause
        self.whole, self.cut, self.refused, self.stop = 0, [], 0, threading.Event()

    def run(self) -> None:
        body = {"model": MODEL, "prompt": "Hi", "stream": False, "options": {"num_predict": self.tokens}}
        while not self.stop.is_set():
            done = self.server.host.run(
                f"curl --silent --show-error --max-time 60 -d '{json.dumps(body)}' {API}/api/generate", 90
            )
            if done.returncode == 7:  # nobody listens: the moment of the restart, or before its answer
                self.refused += 1
                self.stop.wait(0.2)
                continue
            if done.returncode == 0 and '"done":true' in done.stdout:
                self.whole += 1
            else:
                self.cut.append((done.returncode, done.stdout[-200:], done.stderr[-200:]))
            self.stop.wait(self.pause)

    def asks_on(self) -> None:
        """Returns when one more answer has come."""
        seen, deadline = self.whole + len(self.cut), time.monotonic() + 60
        while self.whole + len(self.cut) == seen and time.monotonic() < deadline:
            time.sleep(0.2)

    def __enter__(self) -> Client:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.join(timeout=120)


def test_no_request_is_cut_off_by_a_restart(server: Server) -> None:
    server.on(NEW).report("apply", "-y")
    before = server.started()
    with Client(server, tokens=150, pause=8) as client:
        time.sleep(1)  # a request is running when the deploy begins
        record = server.on(NEW, env={"OLLAMA_MAX_QUEUE": 100}).report("apply", "-y")["lab1"]
        client.asks_on()
    assert record["verdict"] == "ok", record
    assert server.started() != before
    assert client.whole >= 2
    assert client.cut == []


def test_at_the_drain_limit_the_restart_is_refused(server: Server) -> None:
    server.on(NEW).report("apply", "-y")
    before = server.started()
    with Client(server, tokens=150, pause=0) as client:
        time.sleep(1)
        busy = server.on(NEW, service={"drain": "6s"}, env={"OLLAMA_MAX_QUEUE": 101})
        record = busy.report("apply", "-y", expect=4)["lab1"]
    assert "restart refused, still busy after 6 s" in record["error"], record
    assert server.started() == before
    assert client.whole >= 1
    assert (client.cut, client.refused) == ([], 0)


def test_a_drop_in_that_crashes_the_service_is_put_back(server: Server) -> None:
    server.on(NEW).report("apply", "-y")
    server.generates()
    before = server.host.out(f"sha256sum {DROP_IN}")
    record = server.on(NEW, listen="192.0.2.1:11434").report("apply", "-y", expect=2)["lab1"]
    assert "cannot assign requested address" in record["error"], record
    assert f"(before: ollama {NEW} with 1 of 1 GPUs, {MODEL} on the GPU)" in record["error"]
    assert "put back, and the service answers again: the previous 50-ongpu.conf" in record["error"]
    assert server.host.out(f"sha256sum {DROP_IN}") == before
    assert server.resident()[0]["name"] == MODEL
    assert "put back: the previous 50-ongpu.conf" in server.journal()
    assert server.on(NEW).report("plan")["lab1"]["verdict"] == "ok"


def test_a_drop_in_that_pushes_a_model_to_the_cpu_is_put_back(server: Server) -> None:
    server.on(NEW).report("apply", "-y")
    server.generates()
    record = server.on(NEW, env={"LLAMA_ARG_N_GPU_LAYERS": 0}).report("apply", "-y", expect=2)["lab1"]
    assert f"is not healthy after its restart: {MODEL} has " in record["error"], record
    assert "put back, and the service answers again: the previous 50-ongpu.conf" in record["error"]
    (model,) = server.resident()
    assert model["size"] == model["size_vram"]
    assert "not healthy after its restart" in server.journal()
    assert server.on(NEW).report("verify")["lab1"]["models"][0]["verdict"] == "verified"


def test_a_drop_in_that_keeps_models_off_the_gpu_is_put_back_with_nothing_resident_too(server: Server) -> None:
    server.on(NEW).report("apply", "-y")
    server.generates(keep_alive=0)
    assert server.resident() == []
    before = server.host.out(f"sha256sum {DROP_IN}")
    record = server.on(NEW, env={"LLAMA_ARG_N_GPU_LAYERS": 0}).report("apply", "-y", expect=2)["lab1"]
    assert f"is not healthy after its restart: {MODEL} has " in record["error"], record
    assert f"(before: ollama {NEW} with 1 of 1 GPUs, {MODEL} on the GPU)" in record["error"]
    assert "put back, and the service answers again: the previous 50-ongpu.conf" in record["error"]
    assert server.host.out(f"sha256sum {DROP_IN}") == before
    assert "put back: the previous 50-ongpu.conf" in server.journal()
    assert server.on(NEW).report("plan")["lab1"]["verdict"] == "ok"


def test_a_runner_that_outlived_its_server_is_ended(server: Server) -> None:
    on = server.on(NEW)
    on.report("apply", "-y")
    server.generates()
    server.host.out(
        "mkdir -p /run/systemd/system/ollama.service.d; printf '[Service]\nKillMode=process\n' "
        ">/run/systemd/system/ollama.service.d/20-kill.conf; systemctl daemon-reload"
    )
    server.host.out(
        "pgrep -f -- '[l]lama-server.*--model' >/run/runner; systemctl kill -s KILL --kill-who=main ollama; sleep 1"
    )
    assert server.host.run("kill -0 $(cat /run/runner)").returncode == 0
    server.host.out(
        "rm /run/systemd/system/ollama.service.d/20-kill.conf; systemctl daemon-reload; "
        "systemctl is-active ollama || systemctl start ollama"
    )
    record = on.report("apply", "-y")["lab1"]
    assert any("end the orphaned runner" in change["summary"] for change in record["changes"]), record
    assert server.host.run("kill -0 $(cat /run/runner)").returncode != 0


def test_a_run_is_taken_back_and_that_too(server: Server) -> None:
    server.on(NEW).report("apply", "-y")
    state = f"sha256sum {DROP_IN} | cut -c 1-20; readlink /opt/ongpu/ollama/current"
    before = server.host.out(state)
    on = server.on(OLD, env={"OLLAMA_MAX_QUEUE": 77})
    on.report("apply", "-y")
    after = server.host.out(state)
    assert after.endswith(OLD)

    foreseen = on.report("undo", "lab1", "--dry", expect=2)["lab1"]
    assert [change["summary"] for change in foreseen["changes"]][:2] == [
        f"put {DROP_IN} back",
        f"put ollama {NEW} back (it is {OLD})",
    ], foreseen
    assert '-Environment="OLLAMA_MAX_QUEUE=77"' in foreseen["changes"][0]["diff"]
    assert server.host.out(state) == after
    done = on.report("undo", "lab1", "-y")["lab1"]
    assert server.host.out(state) == before, done
    assert server.version() == NEW
    assert on.report("undo", "lab1", "-y")["lab1"]["verdict"] == "ok"
    assert server.host.out(state) == after
    assert server.version() == OLD
    assert on.report("plan")["lab1"]["verdict"] == "ok"


def test_undoing_the_first_run_leaves_a_host_without_ongpus_doing(
    blank: Callable[..., list[Host]], controller: Callable[..., Controller]
) -> None:
    (host,) = blank("lab2")
    on = controller(fleet({"lab2": SMALL}))
    on.report("apply", "-y")
    done = on.report("undo", "lab2", "-y")["lab2"]
    assert done["verdict"] == "ok", done
    assert host.run("systemctl cat ollama").returncode != 0
    assert host.run("command -v ollama").returncode != 0
    assert host.out("dpkg-query -W -f '${binary:Package} ${db:Status-Abbrev}\\n' '*nvidia*' | grep ' .i' || :") == ""
    assert host.out("find /etc -name '*ongpu*' ! -name '*ongpu-lab*'") == ""
    on.report("undo", "lab2", "-y")
    assert on.report("plan")["lab2"]["verdict"] == "ok"
    assert on.report("verify", "--load")["lab2"]["models"][0]["verdict"] == "verified"


PACKAGE = r"""
version=0.24.0 tree=/root/package
mkdir -p $tree/DEBIAN $tree/usr/lib/systemd/system
curl --fail --silent --location --output /root/ollama.tar.zst \
  https://github.com/ollama/ollama/releases/download/v$version/ollama-linux-amd64.tar.zst
zstd -dc /root/ollama.tar.zst | tar -x -C $tree/usr
rm -rf $tree/usr/lib/ollama/cuda_v* $tree/usr/lib/ollama/vulkan
cat >$tree/usr/lib/systemd/system/ollama.service <<'END'
[Unit]
Description=Ollama of a distribution
[Service]
ExecStart=/usr/bin/ollama serve
User=ollama
Environment=OLLAMA_MODELS=/var/lib/ollama HOME=/var/lib/ollama
[Install]
WantedBy=multi-user.target
END
printf '%s\n' 'Package: ollama' "Version: $version-1" 'Architecture: amd64' 'Maintainer: none <none@example.org>' \
  'Description: Ollama without CUDA' >$tree/DEBIAN/control
dpkg-deb --root-owner-group -Zgzip -z1 --build $tree /root/ollama.deb
useradd --system --home-dir /var/lib/ollama --create-home ollama
dpkg -i /root/ollama.deb
systemctl daemon-reload
systemctl enable --now ollama
"""


def test_a_distributions_package_is_refused_taken_over_and_given_back(
    blank: Callable[..., list[Host]], controller: Callable[..., Controller]
) -> None:
    (host,) = blank("lab2")
    host.out(f"set -eu\n{PACKAGE}")
    started = "systemctl show -p ExecMainStartTimestamp -p MainPID ollama"
    program = "readlink /proc/$(systemctl show -p MainPID --value ollama)/exe"
    before = host.out(started)
    record = controller(fleet({"lab2": SMALL})).report("apply", "-y", expect=2)["lab2"]
    assert "Ollama is here as deb, a package of the distribution without a CUDA library" in record["error"], record
    assert "declare ollama: {replace: true} to have its service run ongpu's release" in record["error"]
    assert host.out(started) == before

    on = controller(fleet({"lab2": SMALL}, ollama={"release": NEW, "replace": True}))
    record = on.report("apply", "-y")["lab2"]
    assert record["models"][0]["verdict"] == "verified", record
    told = f"install ollama {NEW} (beside the deb package's /usr/bin/ollama {OLD}, which stays unused)"
    assert told in [change["summary"] for change in record["changes"]]
    assert host.out(program) == f"/opt/ongpu/ollama/{NEW}/bin/ollama"
    assert host.out("dpkg --verify ollama; test ! -e /etc/systemd/system/ollama.service") == ""
    assert host.out("ls /var/lib/ollama/manifests/registry.ollama.ai/library") == "llama3.2", "in the package's store"
    assert on.report("apply", "-y")["lab2"]["changes"] == []

    assert on.report("undo", "lab2", "-y")["lab2"]["verdict"] == "ok"
    assert host.out(program) == "/usr/bin/ollama"
    assert host.run(f"test -e {DROP_IN}").returncode != 0
    assert host.out("dpkg --verify ollama") == ""


def test_a_release_of_the_controller_is_copied_where_no_server_is_reached(
    server: Server, lab: Lab, tmp_path: Path
) -> None:
    """Killed in the middle, it goes on; then it is the release as any other, and taken out of use by `absent`."""
    published = lab.dir / "www" / "github.com"
    shutil.copytree(published / f"ollama/ollama/releases/download/v{NEW}", tmp_path / "mirror")
    server.on(OLD).report("apply", "-y")
    server.host.out(f"rm -rf /opt/ongpu/ollama/{NEW} /var/lib/ongpu/spool")
    faults.apply(lab, faults.find("server-down"), None)
    declared = fleet({"lab1": SMALL}, ollama={"release": NEW})
    declared["releases"] = {"ollama": {NEW: {"from": str(tmp_path / "mirror")}}}
    on = server.controlled(declared)
    run = on.start("apply", "-y")
    part = f"/var/lib/ongpu/spool/{NEW}-ollama-linux-amd64.tar.zst"
    server.host.run(f"for i in $(seq 3000); do [ -s {part} ] && break; sleep 0.02; done")
    run.kill()
    run.wait()
    sent = int(server.host.out(f"wc -c <{part}"))
    assert 0 < sent <= (tmp_path / "mirror" / "ollama-linux-amd64.tar.zst").stat().st_size
    assert on.report("apply", "-y")["lab1"]["models"][0]["verdict"] == "verified"
    faults.clear(lab, "server-down", None)
    assert server.version() == NEW

    gone = fleet({"lab1": {"expect": SMALL["expect"]}}, ollama={"release": NEW, "state": "absent"})
    removed = server.controlled(gone)
    assert removed.report("apply", "-y")["lab1"]["verdict"] == "ok"
    assert server.host.run("systemctl cat ollama").returncode != 0
    assert server.host.run("ls /opt/ongpu/ollama /usr/local/bin/ollama").returncode != 0
    assert removed.report("plan")["lab1"]["changes"] == []
    assert server.host.out("id ollama"), "the account, and with it the models"
    back = server.on(NEW).report("apply", "-y")["lab1"]
    assert back["models"][0]["verdict"] == "verified", back
    assert not any("pull" in change["summary"] for change in back["changes"]), "the models were still there"


def test_an_operation_works_by_itself_in_anybodys_deploy(server: Server, lab: Lab, tmp_path: Path) -> None:
    """Plain pyinfra with its own inventory: no ongpu data, no ongpu command."""
    server.on(NEW).report("apply", "-y")
    place = {"ssh_config_file": str(lab.dir / "ssh_config"), "ssh_known_hosts_file": str(lab.dir / "known_hosts")}
    data = {"ssh_hostname": "lab1", "ssh_user": "ops", "_sudo": True, **place}
    (tmp_path / "hosts.py").write_text(f"import ongpu.engine.workarounds\nhosts = [('web7', {data!r})]\n")
    declared = {"ollama": {"release": NEW, "env": {"OLLAMA_MAX_QUEUE": 321}}}
    (tmp_path / "deploy.py").write_text(
        f"from ongpu.operations import ollama\ndeclared = {declared!r}\n"
        "ollama.override(spec=declared)\nollama.restart(spec=declared)\n"
    )
    argv = [BIN / "pyinfra", "-y", tmp_path / "hosts.py", tmp_path / "deploy.py"]
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert server.host.out("systemctl show -p Environment ollama").count("OLLAMA_MAX_QUEUE=321") == 1
    assert server.generates()["done"]
    fact = [BIN / "pyinfra", tmp_path / "hosts.py", "fact", "ongpu.facts.ollama.Service"]
    told = subprocess.run([str(word) for word in fact], capture_output=True, text=True, timeout=300, check=False)
    assert '"OLLAMA_MAX_QUEUE": "321"' in told.stdout + told.stderr, told


PACKAGED = """\
[Unit]
Description=Ollama of a package
[Service]
ExecStart=/usr/local/bin/ollama serve
User=ollama
Environment=OLLAMA_CONTEXT_LENGTH=2048 "OLLAMA_ORIGINS=a b"
[Install]
WantedBy=default.target
"""


def test_other_peoples_files_stay_as_they_are(server: Server) -> None:
    """A unit of a package, edited by its user, and drop-ins before and after ours."""
    site = "/etc/systemd/system/ollama.service.d"
    server.writes("/usr/lib/systemd/system/ollama.service", PACKAGED)
    hardened = "PrivateDevices=yes\nMemoryDenyWriteExecute=yes\n"
    server.writes(f"{site}/10-site.conf", f"[Service]\nEnvironment=OLLAMA_MAX_QUEUE=7\n{hardened}")
    server.writes(f"{site}/90-site.conf", "[Service]\nEnvironment=OLLAMA_CONTEXT_LENGTH=4096\n")
    server.host.out("rm /etc/systemd/system/ollama.service; systemctl daemon-reload; systemctl restart ollama")
    theirs = (
        "sha256sum /usr/lib/systemd/system/ollama.service /etc/systemd/system/ollama.service.d/[19]0-site.conf; "
        "test ! -e /etc/systemd/system/ollama.service"
    )
    before = server.host.out(theirs)
    on = server.on(NEW, env={"OLLAMA_MAX_QUEUE": 100})
    record = on.report("apply", "-y", expect=2)["lab1"]
    assert "90-site.conf sets it to 4096: remove that there" in record["error"], record
    assert server.host.out(theirs) == before

    server.host.out("rm /etc/systemd/system/ollama.service.d/90-site.conf; systemctl daemon-reload")
    before = server.host.out(theirs.replace("[19]0", "10"))
    assert on.report("apply", "-y")["lab1"]["models"][0]["verdict"] == "verified"
    assert server.host.out(theirs.replace("[19]0", "10")) == before
    environment = server.host.out("tr '\\0' '\\n' </proc/$(systemctl show -p MainPID --value ollama)/environ").split(
        "\n"
    )
    assert {"OLLAMA_CONTEXT_LENGTH=8192", "OLLAMA_MAX_QUEUE=100", "OLLAMA_ORIGINS=a b"} <= set(environment)
    shown = server.host.out("systemctl show -p PrivateDevices -p DevicePolicy -p MemoryDenyWriteExecute ollama")
    assert set(shown.split("\n")) == {"PrivateDevices=no", "DevicePolicy=auto", "MemoryDenyWriteExecute=no"}
    started = server.started()
    assert on.report("apply", "-y")["lab1"]["changes"] == []
    assert server.started() == started
