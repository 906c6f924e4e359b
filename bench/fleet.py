"""One look at a fleet: raw ssh, `ongpu drift`, a deploy by pyinfra without changes, and Ansible, in one run, as ratios.

    script/bench fleet [--hosts 10,50,100,200] [--runs 5] [--only WAY,WAY] [--ansible-hosts 10,50]

One lab host (root), proven as declared, stands in for all of them: its sshd answers on 127.0.0.0/8 in its own network
namespace, in which all clients run. So the hosts' work is done by this machine too, and the wall clock shows mostly
that; CPU is the client's alone (the process and its children, user and system). The ways run in turn, so that a slow
moment of the machine meets all of them; medians. All use the key exchange curve25519-sha256.

Raw ssh runs the script that `ongpu drift` sends, 50 hosts at a time. Ansible (from the extra `bench`, or on the PATH)
runs bench/checks.yml with pipelining, ControlPersist and 50 forks, on a Python that is copied to the host; the
masters that it leaves behind are not counted.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ongpu.fleet.drift import script_of
from ongpu.spec.load import load
from ongpu_lab import cgroup, layout
from ongpu_lab.hosts import enter
from ongpu_lab.lab import Lab

TOP = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
KEX = "curve25519-sha256"
AT_ONCE = 50
HOST = "lab1"
PYTHON = "/opt/bench-python"


@dataclass(frozen=True)
class Figures:
    """Of one way at one number of hosts: seconds, CPU seconds of the client, executions per host."""

    wall: float
    cpu: float
    execs: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--hosts", default="10,50,100,200")
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--only", default="", help="raw, drift, deploy, ansible; default: all")
    options.add_argument("--ansible-hosts", default="10,50", help="it takes minutes for each")
    options.add_argument("--ansible-runs", type=int, default=1)
    options.add_argument("--keep", type=Path, help="write one host's answer to this file, for `script/bench judging`")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="ongpu-bench-") as place:
        lab = Lab(Path(place) / "lab", say=say)
        try:
            lab.up(layout.load("one"))
            Bench(lab, Path(place), chosen).run()
        finally:
            lab.down()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, lab: Lab, place: Path, chosen: argparse.Namespace) -> None:
        self.lab, self.place, self.chosen = lab, place, chosen
        self.only = set(filter(None, chosen.only.split(",")))
        pid = cgroup.leader(lab.state().lab_id, HOST)
        self.inside = ["nsenter", f"--target={pid}", "--net", "--"]
        (place / "group_vars").mkdir()
        self._configure()

    def _configure(self) -> None:
        """The one host becomes as declared; ssh_config and known_hosts for its many addresses."""
        one = self._fleet([HOST], self.lab.dir / "ssh_config", self.lab.dir / "known_hosts")
        done = subprocess.run(
            [BIN / "ongpu", "apply", "-y", "-i", one, "--history", self.place / "h"],
            cwd=TOP, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"the lab host could not be configured:\n{done.stdout}{done.stderr}")
        key = (self.lab.dir / "known_hosts").read_text().split(" ", 1)[1].strip()
        (self.place / "known_hosts").write_text("".join(f"{name} {key}\n" for name in names(1000)))
        (self.place / "ssh_config").write_text(
            f"Host *\n  User ops\n  IdentityFile {self.lab.dir / 'id_ed25519'}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.place / 'known_hosts'}\n  GlobalKnownHostsFile /dev/null\n"
            f"  StrictHostKeyChecking yes\n  KexAlgorithms {KEX}\n  LogLevel ERROR\n"
        )

    def _fleet(self, hosts: list[str], config: Path, known: Path) -> Path:
        file = self.place / f"fleet-{len(hosts)}-{hosts[0]}.yaml"
        file.write_text(
            f"version: 1\ndefaults:\n  ssh: {{user: ops, sudo: true, config: {config}, known_hosts: {known}}}\n"
            f"  driver: {{branch: '580', repository: {{key: {self.lab.dir / 'nvidia-key.asc'}}}}}\n"
            "  ollama: {release: '0.32.15'}\n"
            "groups:\n  g: {expect: {gpus: 1}, models: {'llama3.2:3b': {context: 8192}}}\n"
            "hosts:\n" + "".join(f"  '{host}': {{groups: [g]}}\n" for host in hosts)
        )
        return file

    def run(self) -> None:
        say(f"key exchange for all: {KEX}; {os.cpu_count()} cores for clients and hosts together")
        for count in map(int, self.chosen.hosts.split(",")):
            ways = dict(self._ways(names(count)))
            rows: dict[str, list[Figures]] = {name: [] for name in ways}
            for turn in range(self.chosen.runs):
                for name, way in ways.items():
                    if name != "ansible" or turn < self.chosen.ansible_runs:
                        rows[name].append(self._measured(way, count))
                        say(f"{count} hosts, run {turn + 1}, {name}: {rows[name][-1]}")
            report(count, {name: figures for name, figures in rows.items() if figures})

    def _ways(self, hosts: list[str]) -> Iterator[tuple[str, Callable[[], None]]]:
        fleet = self._fleet(hosts, self.place / "ssh_config", self.place / "known_hosts")
        wanted = self.only or {"raw", "drift", "deploy", "ansible"}
        environment = {**os.environ, "ONGPU_INVENTORY": str(fleet)}
        if "raw" in wanted:
            script = self.place / "script.sh"
            script.write_text(script_of(load(fleet).hosts[0]))
            yield "raw ssh", lambda: self._raw(hosts, script)
        if "drift" in wanted:
            words = [str(BIN / "ongpu"), "drift", "-i", str(fleet), "--history", str(self.place / "h")]
            yield "ongpu drift", lambda: self._program(words, environment)
        if "deploy" in wanted:
            deploy = [str(BIN / "pyinfra"), "inventory.py", "deploys/gpu.py", "-y"]
            yield "pyinfra deploy", lambda: self._program(deploy, environment)
        if "ansible" in wanted and str(len(hosts)) in self.chosen.ansible_hosts.split(","):
            yield from self._ansible(hosts)

    def _raw(self, hosts: list[str], script: Path) -> None:
        def one(host: str) -> None:
            command = [*self.inside, "ssh", "-F", str(self.place / "ssh_config"), host, "sudo -H -n sh -s"]
            with script.open("rb") as file:
                done = subprocess.run(command, stdin=file, capture_output=True, check=True, timeout=600)
            assert done.stdout.rstrip().endswith(b" end")
            if self.chosen.keep:
                self.chosen.keep.write_bytes(done.stdout)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, hosts))

    def _program(self, words: list[str], environment: dict[str, str]) -> None:
        done = subprocess.run(
            [*self.inside, *words], cwd=TOP, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{' '.join(words)} exited with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _ansible(self, hosts: list[str]) -> Iterator[tuple[str, Callable[[], None]]]:
        beside = BIN / "ansible-playbook"
        program = str(beside) if beside.exists() else shutil.which("ansible-playbook")
        if program is None:
            say("ansible-playbook is not there (pip install '.[bench]'): left out")
            return
        if not self._has_python():
            say("this machine's Python does not run on the lab host: Ansible is left out")
            return
        inventory = self.place / f"ansible-{len(hosts)}"
        inventory.write_text("".join(f"{host} ansible_python_interpreter={PYTHON}/bin/python3\n" for host in hosts))
        environment = {
            **os.environ,
            "ANSIBLE_SSH_ARGS": f"-F {self.place / 'ssh_config'} -o ControlMaster=auto -o ControlPersist=60s",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.place / "cp"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_HOME": str(self.place / "ansible"),
            "LC_ALL": "C.UTF-8",
        }
        words = [program, "-i", str(inventory), "--forks", str(AT_ONCE), str(TOP / "bench" / "checks.yml")]
        yield "ansible", lambda: self._program(words, environment)

    def _has_python(self) -> bool:
        """Copies the interpreter that runs this to the host; it needs no installation."""
        interpreter = f"{PYTHON}/bin/python3"
        works = [HOST, interpreter, "-c", "import ctypes, json, zlib"]
        if self.lab.run(*works).returncode == 0:
            return True
        prefix = Path(sys.base_prefix)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        left_out = ("test", "site-packages", "idlelib", "lib2to3", "config-*", "__pycache__", "tkinter", "ensurepip")
        libraries = [f"lib/{library.name}" for library in (prefix / "lib").glob("libpython*.so*")]
        pack = [
            "tar",
            "-cC",
            str(prefix),
            *(f"--exclude={name}" for name in left_out),
            f"bin/{version}",
            f"lib/{version}",
        ]
        with subprocess.Popen([*pack, *libraries], stdout=subprocess.PIPE) as packing:
            unpack = enter.argv(self.lab.state(), HOST, ["sh", "-c", f"mkdir -p {PYTHON} && tar -xC {PYTHON}"])
            subprocess.run(unpack, stdin=packing.stdout, check=True)
        starter = f'#!/bin/sh\nLD_LIBRARY_PATH={PYTHON}/lib exec {PYTHON}/bin/{version} "$@"\n'
        self.lab.run(HOST, "sh", "-c", f"cat >{interpreter} && chmod 755 {interpreter}", stdin=starter)
        return self.lab.run(*works).returncode == 0

    def _measured(self, way: Callable[[], None], count: int) -> Figures:
        mark = self.lab.run(HOST, "sh", "-c", "journalctl --sync; journalctl -n 0 --show-cursor -q").stdout
        cursor = mark.rpartition("-- cursor: ")[2].strip()
        before, began = used(), time.monotonic()
        way()
        wall, cpu = time.monotonic() - began, used() - before
        counting = f"journalctl --sync; journalctl -q -o cat --after-cursor='{cursor}' -t sshd -t sshd-session"
        said = self.lab.run(HOST, "sh", "-c", f"{counting} | grep -c '^Starting session:.* for ops '").stdout
        return Figures(wall, cpu, int(said) / count)


def names(count: int) -> list[str]:
    return [f"127.0.{1 + number // 250}.{1 + number % 250}" for number in range(count)]


def used() -> float:
    """Of the children that have ended: nothing of this process."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(count: int, rows: dict[str, list[Figures]]) -> None:
    medians = {}
    for name, figures in rows.items():
        columns = zip(*((one.wall, one.cpu, one.execs) for one in figures), strict=True)
        medians[name] = Figures(*map(statistics.median, columns))
    base, drift = medians.get("raw ssh"), medians.get("ongpu drift")
    print(f"\n{count} hosts, median of {max(map(len, rows.values()))}\n")
    print(f"{'':16}{'wall s':>8}{'x ssh':>7}{'x drift':>9}{'CPU ms/host':>13}{'x ssh':>7}{'execs/host':>12}")
    for name, one in medians.items():
        to_ssh = f"{one.wall / base.wall:7.2f}" if base else f"{'':7}"
        to_drift = f"{one.wall / drift.wall:9.1f}" if drift else f"{'':9}"
        cpu = f"{one.cpu / base.cpu:7.2f}" if base else f"{'':7}"
        print(f"{name:16}{one.wall:8.2f}{to_ssh}{to_drift}{1000 * one.cpu / count:13.1f}{cpu}{one.execs:12.1f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
