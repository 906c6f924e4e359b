"""One look at a fleet: raw ssh, `ongpu drift`, `ongpu plan`, a dry run by pyinfra, and Ansible, in one run, as ratios.

    script/bench look [--hosts N] [--runs N]

Boots a lab of its own (root). Raw ssh sends the same probe to the same hosts, 50 at a time, and looks for its end
marker: what the network and the hosts cost. Ansible, where it is on the PATH (install it outside of this project's
environment), runs ONE trivial command by its raw module: the hosts have no Python, which its other modules need. CPU is
the client's: the process and its children, in user and kernel mode.
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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ongpu.probe.decode import script
from ongpu_lab import layout
from ongpu_lab.lab import Lab

TOP = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--hosts", type=int, default=10)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="ongpu-bench-") as place:
        lab = Lab(Path(place) / "lab", say=lambda text: print(text, file=sys.stderr))
        lab.up(layout.numbered(chosen.hosts))
        try:
            measure(lab, Path(place), [f"lab{number + 1}" for number in range(chosen.hosts)], chosen.runs)
        finally:
            lab.down()


def measure(lab: Lab, place: Path, hosts: list[str], runs: int) -> None:
    ways = {"raw ssh": lambda: raw(lab, hosts), **product(lab, place, hosts), **ansible(lab, place, hosts)}
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(runs):  # in turn: a slow moment of the machine meets all of them
        for name, way in ways.items():
            figures[name].append(timed(way))
    base_wall, base_cpu = (statistics.median(column) for column in zip(*figures["raw ssh"], strict=True))
    print(f"{len(hosts)} hosts, median of {runs} runs\n")
    print(f"{'':18}{'wall s':>8}{'x ssh':>8}{'CPU ms/host':>14}{'x ssh':>8}")
    for name, rows in figures.items():
        wall, cpu = (statistics.median(column) for column in zip(*rows, strict=True))
        per_host = 1000 * cpu / len(hosts)
        print(f"{name:18}{wall:8.2f}{wall / base_wall:8.2f}{per_host:14.1f}{cpu / base_cpu:8.2f}")


def timed(way: Callable[[], None]) -> tuple[float, float]:
    """Wall and CPU seconds, children included."""
    before, began = used(), time.monotonic()
    way()
    return time.monotonic() - began, used() - before


def used() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def raw(lab: Lab, hosts: list[str]) -> None:
    probe = script().encode()

    def one(host: str) -> None:
        command = ["ssh", "-F", str(lab.dir / "ssh_config"), host, "sudo -n sh -s"]
        done = subprocess.run(command, input=probe, capture_output=True, check=True, timeout=120)
        assert done.stdout.rstrip().endswith(b" end")

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(one, hosts))


def product(lab: Lab, place: Path, hosts: list[str]) -> dict[str, Callable[[], None]]:
    fleet = place / "fleet.yaml"
    fleet.write_text(
        "version: 1\ndefaults:\n"
        f"  ssh: {{user: ops, sudo: true, config: {lab.dir / 'ssh_config'}, known_hosts: {lab.dir / 'known_hosts'}}}\n"
        f"  driver: {{branch: '580', repository: {{key: {lab.dir / 'nvidia-key.asc'}}}}}\n"
        "  ollama: {release: '0.32.15'}\nhosts:\n" + "".join(f"  {host}: {{}}\n" for host in hosts)
    )
    history = ["--history", str(place / "history")]
    words = {
        "ongpu drift": [str(BIN / "ongpu"), "drift", "-i", str(fleet), *history],
        "ongpu plan": [str(BIN / "ongpu"), "plan", "-i", str(fleet)],
        "pyinfra --dry": [str(BIN / "pyinfra"), "inventory.py", "deploys/gpu.py", "--dry"],
    }
    environment = {**os.environ, "ONGPU_INVENTORY": str(fleet)}
    return {
        name: runner(argv, environment, (0, 2)) for name, argv in words.items()
    }  # 2: blank hosts are not as declared


def ansible(lab: Lab, place: Path, hosts: list[str]) -> dict[str, Callable[[], None]]:
    program = shutil.which("ansible")
    if program is None:
        print("ansible is not on the PATH: left out", file=sys.stderr)
        return {}
    (place / "hosts").write_text("\n".join(hosts) + "\n")
    argv = [program, "all", "-i", str(place / "hosts"), "-m", "raw", "-a", "true", "--forks", "50", "--become"]
    environment = {
        **os.environ,
        "ANSIBLE_SSH_ARGS": f"-F {lab.dir / 'ssh_config'} -o ControlMaster=no",
        "ANSIBLE_PIPELINING": "1",
    }
    return {"ansible -m raw": runner(argv, environment, (0,))}


def runner(argv: list[str], environment: dict[str, str], good: tuple[int, ...]) -> Callable[[], None]:
    def run() -> None:
        done = subprocess.run(
            argv, cwd=TOP, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode not in good:
            sys.exit(f"{' '.join(argv)} exited with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    return run


if __name__ == "__main__":
    main()
