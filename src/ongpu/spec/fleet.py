"""Parsed inventory files -> hosts with their merged spec; every error with its file and line. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ongpu.spec.merge import MAX_HOSTS, expand, merge, nulls
from ongpu.spec.misplaced import misplaced, without
from ongpu.spec.model import HostSpec
from ongpu.spec.sentences import in_words, near
from ongpu.spec.tree import Path, Tree

# gpu01   gpu01.example.net   192.0.2.7   2001:db8::1   @local
_HOST_NAME = re.compile(r"[^\s,\[\]]{1,253}")
_TOP = ("version", "defaults", "groups", "hosts", "releases", "rollout")


@dataclass(frozen=True, slots=True)
class Fleet:
    """`data` = each host's merged mapping as it goes to pyinfra; `skipped` = host -> reason."""

    hosts: tuple[HostSpec, ...]
    data: Mapping[str, Mapping[str, Any]]
    skipped: Mapping[str, str]


@dataclass(slots=True)
class Builder:
    """Collects the files' parts and all errors, so that an operator can mend everything in one go."""

    errors: list[str] = field(default_factory=list)
    parts: dict[str, dict[str, Any]] = field(default_factory=lambda: {name: {} for name in _TOP})
    where: dict[Path, str] = field(default_factory=dict)
    removing: dict[Path, bool] = field(default_factory=dict)  # each null: does it remove something from some host?

    def add(self, file: str, tree: Tree) -> None:
        """One file. The same host, group or release in two files is an error that names both."""
        self.errors += [f"{file}:{line}: {sentence}" for line, sentence in tree.errors]
        for key, value in tree.value.items():
            line = f"{file}:{tree.lines[(key,)]}"
            if key not in _TOP:
                self.errors.append(f"{line}: {key}: unknown key{near(key, _TOP)}")
            elif key == "version":
                if value != 1:
                    self.errors.append(f"{line}: version: {value!r} is not 1, the only version there is")
            elif value is not None and not isinstance(value, dict):
                self.errors.append(f"{line}: {key}: expected keys and values")
            else:
                self._take(key, value or {}, file, tree)
        self.where.update({path: f"{file}:{line}" for path, line in tree.lines.items()})

    def _take(self, part: str, values: dict[str, Any], file: str, tree: Tree) -> None:
        for name, value in values.items():
            here = (part, name)
            if name in self.parts[part]:
                self.errors.append(f"{file}:{tree.lines[here]}: {part}.{name}: also given in {self.where[here]}")
            elif part in ("hosts", "groups") and value is not None and not isinstance(value, dict):
                self.errors.append(f"{file}:{tree.lines[here]}: {part}.{name}: expected keys and values")
            else:
                self.parts[part][name] = value

    def build(self) -> Fleet:
        """All hosts; `errors` is complete afterwards."""
        hosts: list[HostSpec] = []
        data: dict[str, dict[str, Any]] = {}
        skipped: dict[str, str] = {}
        self._clear_misplaced()
        for name, keys in self._hosts().items():
            groups = self._groups(keys)
            if reason := self._skip(keys):
                skipped[name] = reason
                continue
            merged = {**self._merged(keys, groups), "name": name, "groups": groups}
            merged["origin"] = self.where.get(("hosts", keys[-1]), "")
            spec = self._checked(keys, groups, merged)
            if spec is not None:
                hosts.append(spec)
                data[name] = merged
        self._require_nulls_that_remove()
        self.errors = list(dict.fromkeys(self.errors))
        return Fleet(tuple(hosts), data, skipped)

    def _merged(self, keys: list[str], groups: list[str]) -> dict[str, Any]:
        """defaults < groups in order < range < the host's own entry; each may remove what an earlier one gave."""
        layers: list[tuple[Path, dict[str, Any]]] = [(("defaults",), self.parts["defaults"])]
        layers += [(("groups", group), self.parts["groups"][group] or {}) for group in groups]
        layers += [(("hosts", key), self.parts["hosts"][key] or {}) for key in keys]
        merged: dict[str, Any] = {}
        for at, entry in layers:
            layer = {key: value for key, value in entry.items() if key not in ("groups", "skip")}
            for path, removes in nulls(merged, layer):
                self.removing[(*at, *path)] = self.removing.get((*at, *path), False) or removes
            merged = merge(merged, layer)
        return {**merged, **{part: self.parts[part] for part in ("releases", "rollout") if self.parts[part]}}

    def _require_nulls_that_remove(self) -> None:
        """`"llama3.1:8b":` with nothing behind it is null, which would silently drop what it is meant to declare."""
        for path, removes in self.removing.items():
            if not removes:
                of_model = path[-2] == "models"
                instead = "write {} for a model without settings" if of_model else "give a value, or drop the line"
                why = "is empty (null), which removes what an earlier layer gives, and none gives it"
                self.errors.append(f"{self.where.get(path, 'inventory')}: {'.'.join(path)}: {why}: {instead}")

    def _clear_misplaced(self) -> None:
        self.parts["defaults"] = self._without_misplaced("defaults", ("defaults",), self.parts["defaults"])
        for part in ("groups", "hosts"):
            for name, entry in self.parts[part].items():
                self.parts[part][name] = self._without_misplaced(part, (part, name), entry or {})

    def _without_misplaced(self, part: str, at: Path, entry: dict[str, Any]) -> dict[str, Any]:
        for path, sentence in misplaced(part, entry):
            place = (*at, *path)
            self.errors.append(f"{self.where.get(place, 'inventory')}: {'.'.join(place)}: {sentence}")
        return without(part, entry)

    def _hosts(self) -> dict[str, list[str]]:
        """Host -> the keys that declare it: a range, its own, or its own that refines the range that contains it."""
        found: dict[str, list[str]] = {}
        explicit: list[str] = []
        for key in self.parts["hosts"]:
            place = self.where[("hosts", key)]
            try:
                names = expand(key)
            except ValueError as error:
                self.errors.append(f"{place}: {error}")
                continue
            if not _HOST_NAME.fullmatch(names[0]):
                self.errors.append(f"{place}: hosts.{key}: neither a host's name nor a range such as gpu[01:40]")
            elif names == [key]:
                explicit.append(key)
            else:
                self._add_range(found, key, names)
            if len(found) > MAX_HOSTS:
                self.errors.append(f"{place}: more than {MAX_HOSTS:,} hosts")
                return {}
        for name in explicit:
            found[name] = [*found.get(name, []), name]
        return found

    def _add_range(self, found: dict[str, list[str]], key: str, names: list[str]) -> None:
        for name in names:
            if name in found:
                self.errors.append(f"{self.where[('hosts', key)]}: hosts.{key}: {name} is also in {found[name][0]}")
            found[name] = [key]

    def _last(self, keys: list[str], name: str) -> tuple[str, Any]:
        """The last of a host's entries that has this key, and its value."""
        for key in reversed(keys):
            entry = self.parts["hosts"][key]
            if name in entry:
                return key, entry[name]
        return keys[-1], None

    def _skip(self, keys: list[str]) -> str:
        key, reason = self._last(keys, "skip")
        if reason is None or reason is False:
            return ""
        if isinstance(reason, bool) or not isinstance(reason, str | int | float) or not str(reason).strip():
            place = self.where.get(("hosts", key, "skip"), "inventory")
            self.errors.append(f'{place}: hosts.{key}.skip: give the reason as text, such as "RMA until Friday"')
            return "no reason given"
        return str(reason)

    def _groups(self, keys: list[str]) -> list[str]:
        key, asked = self._last(keys, "groups")
        asked = [] if asked is None else asked
        place = self.where.get(("hosts", key, "groups"), self.where.get(("hosts", key), ""))
        if not isinstance(asked, list) or not all(isinstance(group, str) for group in asked):
            self.errors.append(f"{place}: hosts.{key}.groups: expected a list of names such as [h100]")
            return []
        known = self.parts["groups"]
        for group in asked:
            if group not in known:
                self.errors.append(f"{place}: hosts.{key}.groups: there is no group {group!r}{near(group, known)}")
        return [group for group in asked if group in known]

    def _checked(self, keys: list[str], groups: list[str], merged: dict[str, Any]) -> HostSpec | None:
        try:
            return HostSpec.model_validate(merged)
        except ValidationError as error:
            for problem in error.errors():
                path = tuple(str(part) for part in problem["loc"])
                place, shown = self._place(keys, groups, path)
                self.errors.append(f"{place}: {shown}: {in_words(path, dict(problem))}")
            return None

    def _place(self, keys: list[str], groups: list[str], path: Path) -> tuple[str, str]:
        """Where a merged value came from: the host, else the last group that has it, else defaults."""
        sources = [
            *(("hosts", key) for key in reversed(keys)),
            *(("groups", group) for group in reversed(groups)),
            ("defaults",),
        ]
        if path[0] in ("releases", "rollout"):
            sources = [()]
        for length in range(len(path), 0, -1):
            for source in sources:
                if (*source, *path[:length]) in self.where:
                    return self.where[(*source, *path[:length])], ".".join((*source, *path))
        return self.where.get(("hosts", keys[-1]), "inventory"), ".".join(("hosts", keys[-1], *path))
