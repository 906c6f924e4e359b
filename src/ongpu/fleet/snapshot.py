"""`ongpu snapshot`: what the probe sees on each host, one round trip each. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ongpu.engine.answer import PROBE_SECONDS, Answer, read
from ongpu.fleet.options import Options
from ongpu.fleet.reading.fleet import read_fleet
from ongpu.fleet.reading.inventory import Declared
from ongpu.fleet.trouble import Kind
from ongpu.host import codec
from ongpu.host.redact import redact
from ongpu.probe.decode import script

Snapshot = tuple[str, dict[str, Any] | None, str]


def snapshot_fleet(options: Options, keep_secrets: bool = False) -> Iterator[Snapshot]:
    """(host, snapshot as JSON-able dict, "") or (host, None, why). Secrets are redacted unless asked for."""

    def result(host: Declared, answer: Answer) -> Snapshot:
        if answer.failure and "@@ongpu" not in answer.text:
            return host.name, None, answer.failure
        value = read(answer)
        return host.name, codec.dump(value if keep_secrets else redact(value), host.name), ""

    def trouble(name: str, sentence: str, kind: Kind | None = None) -> Snapshot:
        return name, None, sentence

    yield from read_fleet(options, lambda host: script(), result, trouble, PROBE_SECONDS)


def ask_fleet(options: Options, script: str, seconds: int) -> Iterator[tuple[str, Answer]]:
    """The answers of hosts to a POSIX sh script that changes nothing."""
    yield from read_fleet(
        options,
        lambda host: script,
        lambda host, answer: (host.name, answer),
        lambda name, sentence, kind=None: (name, Answer("", sentence)),
        seconds,
    )
