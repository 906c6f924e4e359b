"""All rules: every module under hardware/, software/, environment/ and calls/ that has a `RULE`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ongpu.errors import OngpuError
from ongpu.rules import calls, environment, hardware, software
from ongpu.rules.rule import Manual, Rule, manual

PARTS = {"hardware": hardware, "software": software, "environment": environment, "calls": calls}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A rule with its manual page. `part` = where the cause lies; `order` = what to fix first."""

    rule: Rule
    manual: Manual
    part: str


@cache
def catalogue() -> tuple[Entry, ...]:
    """Every rule in the order of its id: by part (HW, SW, ENV, CALL), then by number."""
    found = []
    for part, package in PARTS.items():
        for module in iter_modules(package.__path__):
            loaded = import_module(f"{package.__name__}.{module.name}")
            found.append(Entry(rule=loaded.RULE, manual=manual(loaded.__doc__ or ""), part=part))
    places = list(PARTS)
    return tuple(sorted(found, key=lambda entry: (places.index(entry.part), entry.rule.id)))


def entry_of(name: str) -> Entry:
    """A rule by its id (`SW-003`) or slug. Raises OngpuError with the nearest names for an unknown one."""
    from difflib import get_close_matches

    by_name = {entry.rule.id.lower(): entry for entry in catalogue()} | {e.rule.slug: e for e in catalogue()}
    if name.lower() in by_name:
        return by_name[name.lower()]
    near = get_close_matches(name.lower(), by_name, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise OngpuError(f"there is no rule {name!r}{hint} See `ongpu rules`.")
