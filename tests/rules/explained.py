"""What a finding of a cause may stand for."""

from __future__ import annotations

from ongpu.rules.catalogue import catalogue, entry_of


def explained(cause: str) -> frozenset[str]:
    """The causes that are shown as its symptoms, through any number of steps."""
    found: set[str] = set()
    todo = [cause]
    while todo:
        new = set(entry_of(todo.pop()).rule.explains) - found
        found |= new
        todo += new
    return frozenset(found)


EXPLAINED = {entry.rule.slug: explained(entry.rule.slug) for entry in catalogue()}
