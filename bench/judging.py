"""How many hosts a second one core judges: plan and rules over decoded snapshots; and end to end, with decoding,
proof and reports.

    script/bench judging ANSWER [--spec fleet.yaml] [--hosts 10000]

ANSWER is what a host answered to the script of `ongpu drift` (`script/bench fleet --keep ANSWER` writes one). Each host
of the run gets an answer of its own: other times, ids, addresses and sizes, as in a fleet. CPU seconds of this process;
the memory that is held is printed for the first and the last tenth, for it has to stay flat.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ongpu.engine.answer import Answer, divide, read
from ongpu.fleet.drift import judge
from ongpu.host.result import FleetResult, HostResult
from ongpu.plan.build import plan
from ongpu.plan.types import Limits, Now
from ongpu.report import renderer
from ongpu.rules.diagnose import diagnose
from ongpu.rules.from_snapshot import evidence_from
from ongpu.spec.data import from_data
from ongpu.spec.load import load
from ongpu.spec.model import HostSpec

_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_TIME = re.compile(r"T(\d\d):(\d\d):(\d\d)\.(\d{3})Z")
_SIZE = re.compile(r"(\d{3,5})(\.\d\d)? MiB")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("answer", type=Path)
    options.add_argument("--spec", type=Path)
    options.add_argument("--hosts", type=int, default=10_000)
    chosen = options.parse_args()
    text = chosen.answer.read_text()
    spec = load(chosen.spec).hosts[0] if chosen.spec else from_data({"name": "gpu", "ollama": {"release": "0.32.15"}})
    answers = lambda count: (varied(text, number) for number in range(count))  # noqa: E731 - drawn anew each time
    rate("plan + rules", decided(spec, answers(chosen.hosts)), chosen.hosts)
    results: list[HostResult] = []
    whole = max(1, chosen.hosts // 10)
    rate("end to end", judged(spec, answers(whole), results), whole)
    for name in ("json", "prometheus", "junit", "html", "table"):
        began = time.process_time()
        renderer(name)(FleetResult(command="drift", started_at="", finished_at="", hosts=tuple(results)))
        took = time.process_time() - began
        print(f"{name:14}{1000 * took / whole:8.2f} ms/host")


def varied(text: str, seed: int) -> str:
    """The answer as another host of the same fleet would give it."""
    draw = random.Random(seed)

    def other_id(found: re.Match[str]) -> str:
        return re.sub("[0-9a-f]", lambda _: draw.choice("0123456789abcdef"), found[0])

    def other_time(found: re.Match[str]) -> str:
        return f"T{found[1]}:{found[2]}:{found[3]}.{draw.randrange(1000):03}Z"

    def other_size(found: re.Match[str]) -> str:
        return f"{max(100, int(found[1]) + draw.randrange(-50, 50))}{found[2] or ''} MiB"

    other = _TIME.sub(other_time, _SIZE.sub(other_size, text))
    return _ID.sub(other_id, other)


def decided(spec: HostSpec, answers: Iterator[str]) -> Iterator[Callable[[], object]]:
    now = Now(datetime.now(UTC))
    for answer in answers:
        whole = Answer(answer)
        snapshot = read(divide(whole)[1] if spec.models else whole)
        yield lambda snapshot=snapshot: (plan(spec, snapshot, now, Limits()), diagnose(evidence_from(snapshot)))  # type: ignore[misc]


def judged(spec: HostSpec, answers: Iterator[str], into: list[HostResult]) -> Iterator[Callable[[], object]]:
    now = datetime.now(UTC)
    for answer in answers:
        yield lambda answer=answer: into.append(judge(spec, Answer(answer), now))  # type: ignore[misc]


def rate(name: str, jobs: Iterator[Callable[[], object]], count: int) -> None:
    """CPU time of the jobs alone; making them is not counted."""
    took, tenths = 0.0, []
    for number, job in enumerate(jobs):
        began = time.process_time()
        job()
        took += time.process_time() - began
        if number in (count // 10, count - 1):
            tenths.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    print(f"{name:14}{1000 * took / count:8.2f} ms/host {count / took:8.0f} hosts/s   memory {tenths} MiB")


if __name__ == "__main__":
    main()
