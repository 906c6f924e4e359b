"""The drop-in of `ongpu fix`: what it overrides in a service that somebody else's files have spoiled.

It sorts after everybody's, so it wins; their files stay as they are (design D7). `UnsetEnvironment=` takes a variable
away whatever set it: a unit, a drop-in, an EnvironmentFile or the manager (systemd.exec(5)).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ongpu.host.paths import HEADER
from ongpu.plan.systemd import assignment

_TOP = f"""\
# {HEADER}: written by `ongpu fix`, after the files of others, which it overrides and leaves as they are.
# To go back: remove this file, then systemctl daemon-reload and restart ollama.
[Service]
"""
# "NAME=value", with systemd's escapes of a quoted word
_QUOTED = re.compile(r'^"([A-Za-z_]\w*)=((?:[^"\\]|\\.)*)"$')
_SETTING = re.compile(r"^([A-Z][A-Za-z]+)=(\S*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Variables taken away, variables with a value, and settings of [Service]."""

    unset: frozenset[str] = frozenset()
    values: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not (self.unset or self.values or self.settings)

    def without(self, name: str) -> Override:
        """The variable `name` taken away."""
        values = {key: value for key, value in self.values.items() if key != name}
        return Override(unset=self.unset | {name}, values=values, settings=self.settings)

    def having(self, name: str, value: str) -> Override:
        """The variable `name` with this value."""
        return Override(unset=self.unset - {name}, values={**self.values, name: value}, settings=self.settings)

    def declared(self, declared: Mapping[str, str]) -> Override:
        """The same where the inventory declares these variables: none of them is taken away or has another value."""
        values = {name: value for name, value in self.values.items() if declared.get(name, value) == value}
        return Override(unset=self.unset - declared.keys(), values=values, settings=self.settings)

    def setting(self, name: str, value: str) -> Override:
        return Override(unset=self.unset, values=self.values, settings={**self.settings, name: value})


def parse(text: str) -> Override:
    """What `text` wrote, read again; lines that are none of ours are not kept."""
    found = Override()
    for line in text.splitlines():
        name, mark, value = line.partition("=")
        if not mark or line.startswith("#"):
            continue
        if name == "UnsetEnvironment":
            for variable in value.split():
                found = found.without(variable)
        elif name == "Environment":
            if quoted := _QUOTED.match(value):
                found = found.having(quoted[1], _plain(quoted[2]))
        elif _SETTING.match(line):
            found = found.setting(name, value)
    return found


def text(override: Override) -> str:
    """The drop-in; the same for the same content. Raises Halt for a value that no unit file can carry."""
    lines = [f"Environment={assignment(name, value)}" for name, value in sorted(override.values.items())]
    if override.unset:
        lines.insert(0, f"UnsetEnvironment={' '.join(sorted(override.unset))}")
    lines += [f"{name}={value}" for name, value in sorted(override.settings.items())]
    return _TOP + "".join(f"{line}\n" for line in lines)


def _plain(escaped: str) -> str:
    return re.sub(r'\\(["\\])', r"\1", escaped).replace("%%", "%")
