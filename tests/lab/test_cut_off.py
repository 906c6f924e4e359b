"""A run that is cut off at any place: the service answers in the old version or the new one, the next run does the
rest, and the one after it finds nothing to do.

`ONGPU_LAB_CUTS=all` tries every place of an upgrade, a downgrade and a change of the drop-in, on three hosts; by
default a few of them are drawn, and `ONGPU_LAB_SEED` repeats the draw.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ongpu_lab import faults
from ongpu_lab.lab import Lab
from tests.lab import cutting
from tests.lab.conftest import fleet_file
from tests.lab.fleets import Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

API = "http://127.0.0.1:11434"
OLD, NEW = "0.24.0", "0.32.15"
MODEL = "llama3.2:3b"
CHANGES = ("upgrade", "downgrade", "drop-in")
VICTIMS = {"after": 20, "during": 20, "shell": 60}  # who is killed -> about how many places there are, for the draw
CUTS = os.environ.get("ONGPU_LAB_CUTS", "4")


@dataclass
class Bed:
    """A host that is changed to and fro, cut off each time."""

    lab: Lab
    name: str
    place: Path
    release: str = OLD
    queue: int = 100
    told: list[str] = field(default_factory=list)

    @property
    def host(self) -> Host:
        return Host(self.lab, self.name)

    def prepare(self) -> None:
        self.host.reset()
        self.finish(self.on())
        self.host.out(r"printf '[generation]\npace = no\n' >/etc/ongpu-lab/ollama.ini")
        cutting.prepare(self.host)

    def on(self) -> Controller:
        ollama = {"release": self.release, "env": {"OLLAMA_MAX_QUEUE": self.queue}}
        declared = {self.name: {"models": {MODEL: {"context": 8192}}}}
        return Controller(fleet_file(self.lab, self.place, fleet(declared, ollama=ollama, service={"drain": "60s"})))

    def declare(self, change: str) -> None:
        if change == "drop-in":
            self.queue += 1
            return
        # The whole way: fetched, unpacked, switched.
        before, self.release = (OLD, NEW) if change == "upgrade" else (NEW, OLD)
        if before != self.serves():
            self.release = before
            self.finish(self.on())
            self.release = NEW if change == "upgrade" else OLD
        self.host.out(f"rm -rf /opt/ongpu/ollama/{self.release} /var/lib/ongpu/spool")

    def cut(self, change: str, victim: str, number: int) -> bool:
        """False: the run ended by itself."""
        self.declare(change)
        on = self.on()
        if victim == "shell":
            before = cutting.shell(on, self.host, number, "apply", "-y")
            was_cut = bool(before)
        else:
            before = ""
            was_cut = cutting.controller(on, victim, number, "apply", "-y")
        words = f"{self.name}: {change}, {victim} {number} {before}".strip()
        assert self.serves() in (OLD, NEW), f"{words}: nobody answers"
        self.finish(on, words)
        assert self.serves() == self.release, words
        record = on.report("apply", "-y")[self.name]
        assert record["changes"] == [], f"{words}: {record['changes']}"
        if was_cut:
            self.told.append(words)
            print(words, flush=True)
        return was_cut

    def finish(self, on: Controller, words: str = "") -> None:
        """The next run; what outlived its killed controller may still have the host's lock for a while."""
        deadline = time.monotonic() + 300
        while (done := on.ongpu("apply", "-y")).returncode == 4 and time.monotonic() < deadline:
            assert "another ongpu run is changing this host" in done.stdout, f"{words}: {done.stdout}"
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"

    def serves(self) -> str:
        """The version that answers, and loads the model; a restart that has begun may end."""
        body = json.dumps({"model": MODEL, "prompt": "Hi", "stream": False, "options": {"num_predict": 2}})
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            done = self.host.run(
                f"curl --fail --silent --max-time 60 -d '{body}' {API}/api/generate | grep -q '\"done\":true' && "
                f"curl --fail --silent --max-time 10 {API}/api/version"
            )
            if done.returncode == 0:
                return str(json.loads(done.stdout)["version"])
            time.sleep(0.3)
        return ""


def beds(lab: Lab, place: Path, *names: str) -> list[Bed]:
    faults.clear(lab, host="")
    made = []
    for name in names:
        (place / name).mkdir()
        made.append(Bed(lab, name, place / name))
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(bed.prepare) for bed in made]:
            done.result()
    return made


@pytest.mark.skipif(CUTS == "all", reason="all of them are tried")
def test_cut_off_somewhere_the_service_answers_and_the_next_run_goes_on(lab: Lab, tmp_path: Path) -> None:
    seed = os.environ.get("ONGPU_LAB_SEED") or str(time.time_ns())
    print(f"ONGPU_LAB_SEED={seed}")
    chance = random.Random(seed)
    (bed,) = beds(lab, tmp_path, "lab1")
    for _ in range(int(CUTS)):
        victim = chance.choice(list(VICTIMS))
        bed.cut(chance.choice(CHANGES), victim, chance.randint(1, VICTIMS[victim]))


@pytest.mark.skipif(CUTS != "all", reason="takes half an hour: ONGPU_LAB_CUTS=all")
def test_cut_off_anywhere_the_service_answers_and_the_next_run_goes_on(lab: Lab, tmp_path: Path) -> None:
    numbers = {victim: itertools.count(1) for victim in VICTIMS}
    open_ends = {(victim, change) for victim in VICTIMS for change in CHANGES}
    drawing = threading.Lock()

    def draw() -> tuple[str, int] | None:
        with drawing:
            victims = sorted({victim for victim, _ in open_ends}, key=list(VICTIMS).index, reverse=True)
            return (victims[0], next(numbers[victims[0]])) if victims else None

    def work(bed: Bed) -> None:
        while drawn := draw():
            victim, number = drawn
            for change in CHANGES:
                if (victim, change) in open_ends and not bed.cut(change, victim, number):
                    open_ends.discard((victim, change))

    made = beds(lab, tmp_path, "lab1", "lab2", "lab3")
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(work, bed) for bed in made]:
            done.result()
    told = sorted(line for bed in made for line in bed.told)
    print(f"{len(told)} places")
    for victim, change in itertools.product(VICTIMS, CHANGES):
        assert any(f"{change}, {victim} " in line for line in told), f"{change}, {victim}: never cut"
