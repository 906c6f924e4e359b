"""Parsed inventory files -> hosts with their merged spec; every error with its file and line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ongpu.spec.merge import expand, merge
from ongpu.spec.model import HostSpec
from ongpu.spec.tree import Path, Tree

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

    def add(self, file: str, tree: Tree) -> None:
        """One file. The same host, group or release in two files is an error that names both."""
        self.errors += [f"{file}:{line}: {sentence}" for line, sentence in tree.errors]
        for key, value in tree.value.items():
            line = f"{file}:{tree.lines[(key,)]}"
            if key not in _TOP:
                self.errors.append(f"{line}: {key}: unknown key{_near(key, _TOP)}")
            elif key == "version":
                if value != 1:
                    self.errors.append(f"{line}: version: {value!r} is not 1, the only version there is")
            elif value is not None and not isinstance(value, dict):
                self.errors.append(f"{line}: {key}: expected keys and values")
            else:
                self._take(key, value or {}, file, tree)
        self.where.update({path: f"{file}:{line}" for path, line in tree.lines.items()} | {})

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
        for name, (key, entry) in self._hosts().items():
            groups = self._groups(key, entry)
            own = {k: v for k, v in entry.items() if k not in ("groups", "skip")}
            if entry.get("skip"):
                skipped[name] = str(entry["skip"])
                continue
            merged = self.parts["defaults"]
            for group in groups:
                merged = merge(merged, self.parts["groups"][group] or {})
            merged = merge(merged, own)
            for part in ("releases", "rollout"):
                if self.parts[part]:
                    merged = {**merged, part: self.parts[part]}
            origin = self.where.get(("hosts", key), "")
            merged = {**merged, "name": name, "groups": groups, "origin": origin}
            spec = self._checked(key, groups, merged)
            if spec is not None:
                hosts.append(spec)
                data[name] = merged
        self.errors = list(dict.fromkeys(self.errors))
        return Fleet(tuple(hosts), data, skipped)

    def _hosts(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Host -> the key that declares it. An explicit host refines the range that contains it."""
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        explicit = []
        for key, entry in self.parts["hosts"].items():
            try:
                names = expand(key)
            except ValueError as error:
                self.errors.append(f"{self.where[('hosts', key)]}: {error}")
                continue
            if names == [key]:
                explicit.append((key, entry or {}))
                continue
            for name in names:
                if name in found:
                    place = self.where[("hosts", key)]
                    self.errors.append(f"{place}: hosts.{key}: {name} is also in {found[name][0]}")
                found[name] = (key, entry or {})
        for name, entry in explicit:
            found[name] = (name, merge(found[name][1], entry) if name in found else entry)
        return found

    def _groups(self, key: str, entry: dict[str, Any]) -> list[str]:
        asked = entry.get("groups") or []
        place = self.where.get(("hosts", key, "groups"), self.where.get(("hosts", key), ""))
        if not isinstance(asked, list):
            self.errors.append(f"{place}: hosts.{key}.groups: expected a list such as [h100]")
            return []
        known = self.parts["groups"]
        for group in asked:
            if group not in known:
                self.errors.append(f"{place}: hosts.{key}.groups: there is no group {group!r}{_near(group, known)}")
        return [group for group in asked if group in known]

    def _checked(self, key: str, groups: list[str], merged: dict[str, Any]) -> HostSpec | None:
        try:
            return HostSpec.model_validate(merged)
        except ValidationError as error:
            for problem in error.errors():
                path = tuple(str(part) for part in problem["loc"])
                place, shown = self._place(key, groups, path)
                self.errors.append(f"{place}: {shown}: {in_words(path, dict(problem))}")
            return None

    def _place(self, key: str, groups: list[str], path: Path) -> tuple[str, str]:
        """Where a merged value came from: the host, else the last group that has it, else defaults."""
        sources = [("hosts", key), *(("groups", group) for group in reversed(groups)), ("defaults",)]
        if path[0] in ("releases", "rollout"):
            sources = [()]
        for length in range(len(path), 0, -1):
            for source in sources:
                if (*source, *path[:length]) in self.where:
                    return self.where[(*source, *path[:length])], ".".join((*source, *path))
        return self.where.get(("hosts", key), "inventory"), ".".join(("hosts", key, *path))


def in_words(path: Path, problem: dict[str, Any]) -> str:
    """A pydantic error as one sentence for an operator."""
    given = problem.get("input")
    match problem["type"]:
        case "extra_forbidden":
            return "unknown key" + _near(path[-1], _fields(path[:-1]))
        case "missing":
            return "is missing"
        case "literal_error":
            return f"{given!r} is not one of {problem['ctx']['expected']}"
        case "string_type" if isinstance(given, int | float):
            return f'{given} is read as a number or boolean; put it in quotes: "{given}"'
        case "value_error":
            return str(problem["ctx"]["error"])
        case _:
            return f"{problem['msg'][:1].lower()}{problem['msg'][1:]}, got {given!r}"


def _near(word: object, words: object) -> str:
    known = [str(one) for one in words]  # type: ignore[attr-defined]
    near = get_close_matches(str(word), known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}" if known else ""


def _fields(path: Path) -> list[str]:
    """The keys that are known at a path of HostSpec."""
    model: type[BaseModel] | None = HostSpec
    for part in path:
        info = model.model_fields.get(part) if model else None
        inner = list(_models(info.annotation)) if info else [model] if model else []
        model = inner[0] if inner else None
    hidden = {"name", "origin", "key_text"}
    return [f.alias or name for name, f in model.model_fields.items() if name not in hidden] if model else []


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
