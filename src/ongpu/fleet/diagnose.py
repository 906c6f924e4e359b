"""`ongpu diagnose` on live hosts: read each in one round trip, ask every rule. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ongpu.engine.answer import PROBE_SECONDS, Answer, read
from ongpu.fleet.facts import gpus_of
from ongpu.fleet.options import Options
from ongpu.fleet.reading.fleet import read_fleet
from ongpu.fleet.reading.inventory import Declared
from ongpu.fleet.trouble import unseen
from ongpu.host.result import HostResult
from ongpu.probe.decode import script
from ongpu.rules.from_snapshot import evidence_from
from ongpu.rules.host_result import diagnosed


def diagnose_fleet(options: Options) -> Iterator[HostResult]:
    """One result per host, as they answer; a host that cannot be read is unknown."""

    def result(host: Declared, answer: Answer) -> HostResult:
        if answer.failure and "@@ongpu" not in answer.text:
            return unseen(host.name, answer.failure)
        value = read(answer)
        return diagnosed(host.name, evidence_from(value), gpus_of(value))

    yield from read_fleet(options, lambda host: script(), result, unseen, PROBE_SECONDS)
