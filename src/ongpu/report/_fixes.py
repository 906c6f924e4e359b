"""Repairs for people: per host what became of each finding, and the commands where only a person can help."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ongpu.host.result import FixState, HostResult, RuleFix

WORDS: dict[FixState, str] = {
    "fixed": "fixed",
    "failing": "still failing",
    "worse": "worse",
    "unconfirmed": "not confirmed",
    "failed": "not repaired",
    "refused": "refused",
    "manual": "by hand",
    "planned": "would repair",
}
_WIDTH = max(len(word) for word in WORDS.values())


def lines(hosts: list[HostResult]) -> Iterator[str]:
    """Hosts in order of their names."""
    for host in sorted(hosts, key=lambda host: host.host):
        if host.fixes:
            yield f"{host.host}  {host.gpus}".rstrip()
            for fix in host.fixes:
                yield from _fix(fix)


def _fix(fix: RuleFix) -> Iterator[str]:
    yield f"  {WORDS[fix.state]:{_WIDTH}}  {fix.rule} {fix.cause}{f': {fix.why}' if fix.why else ''}"
    indent = " " * (_WIDTH + 4)
    yield from textwrap.wrap(fix.summary, 110, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
    for command in fix.commands:
        yield f"{indent}$ {command}"
