"""Fleet-wide, no more hosts pull at a time than the inventory allows."""

from __future__ import annotations

from pathlib import Path

from ongpu.engine.safety import fleet_wide
from ongpu.plan.types import Change, Plan, Run

from .conftest import SPEC, World

HOSTS = tuple(f"h{number}" for number in range(6))


def test_the_smallest_limit_of_the_hosts_counts(world: World) -> None:
    world.data = {
        "h0": {"ongpu": {**SPEC, "rollout": {"max_pulls": 5}}},
        "h1": {"ongpu": {**SPEC, "rollout": {"max_pulls": 3}}},
    }
    assert fleet_wide(world.prepare("h0", "h1", "h2")).pulls == 3


def test_no_more_pull_at_a_time(world: World, tmp_path: Path) -> None:
    pulling, counts = tmp_path / "pulling", tmp_path / "counts"
    pulling.mkdir()
    command = f"mkdir {pulling}/$$; ls {pulling} | wc -l >>{counts}; sleep 0.15; rmdir {pulling}/$$"

    def plans(name: str, place: Path) -> Plan:
        if (place / "pulled").exists():
            return Plan()
        step = Run(command=f"{command}; touch {place}/pulled", what="pull")
        return Plan(changes=(Change(resource="restart", summary="pull", steps=(step,)),))

    world.plans, world.resources, world.parallel = plans, ("restart",), 2
    state = world.run(*HOSTS)
    assert not state.failed_hosts
    seen = [int(line) for line in counts.read_text().split()]
    assert len(seen) == len(HOSTS)
    assert max(seen) == 2
