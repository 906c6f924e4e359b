"""YAML text -> plain values with the line of every key. Pure.

Errors are: duplicate keys, aliases (and so alias bombs), keys that are no text, nesting without end, and what YAML 1.1
reads as something else than it looks like (`no`, `010`, `1:30`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str, ...]

MAX_DEPTH = 32
_SURROGATE = re.compile("[\ud800-\udfff]")
_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Tree:
    """`value` is the document; `lines` maps a path of keys to its line, counted from 1; `errors` = (line, sentence)."""

    value: dict[str, Any] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)
    errors: list[tuple[int, str]] = field(default_factory=list)


def parse(text: str) -> Tree:
    """Never raises: what is wrong stands in `errors`."""
    tree = Tree()
    try:
        if trouble := _forbidden(text):
            tree.errors.append(trouble)
            return tree
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        tree.errors.append(_syntax(error))
        return tree
    except ValueError as error:  # numbers and escapes that PyYAML cannot hold
        tree.errors.append((1, f"not YAML: {error}"))
        return tree
    if node is None:
        tree.errors.append((1, "the file is empty: it needs at least `hosts:`"))
    elif not isinstance(node, yaml.MappingNode):
        tree.errors.append((1, "expected keys such as `defaults:` and `hosts:` at the top"))
    else:
        scalars = yaml.SafeLoader("")
        tree.value = _mapping(node, (), tree, scalars)
    return tree


def _forbidden(text: str) -> tuple[int, str] | None:
    """Seen in the stream of events, before anything is built from it."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            return line, "aliases (*name) are not supported: use groups for what hosts share"
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            return line, f"nested more than {MAX_DEPTH} levels deep"
    return None


def _syntax(error: yaml.YAMLError) -> tuple[int, str]:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).split("\n")[0]
    return (mark.line + 1 if mark else 1), f"not YAML: {problem}"


def _mapping(node: yaml.MappingNode, path: Path, tree: Tree, scalars: yaml.SafeLoader) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, line, child in _pairs(node, tree):
        here = (*path, key)
        if key in found:
            tree.errors.append((line, f"{'.'.join(here)}: given twice; first in line {tree.lines[here]}"))
            continue
        tree.lines[here] = line
        found[key] = _value(child, here, line, tree, scalars)
    return found


def _pairs(node: yaml.MappingNode, tree: Tree) -> Iterator[tuple[str, int, yaml.Node]]:
    for key, child in node.value:
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode) and not _SURROGATE.search(key.value):
            yield key.value, line, child
        else:
            tree.errors.append((line, "a key must be one word or a quoted text"))


def _value(node: yaml.Node, path: Path, line: int, tree: Tree, scalars: yaml.SafeLoader) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, tree, scalars)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, str(i)), line, tree, scalars) for i, item in enumerate(node.value)]
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    if plain and node.tag == f"{_TAG}timestamp":
        return node.value  # 2026-12-01 is text here
    try:
        value = scalars.construct_object(node)
        if isinstance(value, str) and _SURROGATE.search(value):
            tree.errors.append((line, f"{'.'.join(path)}: holds half of a character (\\ud800 to \\udfff)"))
            return None
        if plain and (trap := _trap(node, value)):
            tree.errors.append((node.start_mark.line + 1 if node.start_mark else line, f"{'.'.join(path)}: {trap}"))
        return value
    except (yaml.YAMLError, ValueError, OverflowError):
        tree.errors.append((line, f"{'.'.join(path)}: cannot be read as a value; put it in quotes"))
        return None


def _trap(node: yaml.Node, value: Any) -> str:
    """What an unquoted word means to YAML 1.1 and hardly to its writer; empty for everything else."""
    word = node.value
    if node.tag == f"{_TAG}bool" and word.lower() not in ("true", "false"):
        return f'{word} is read as {str(value).lower()}; write {str(value).lower()}, or "{word}" for the word'
    if node.tag == f"{_TAG}int" and (":" in word or "_" in word or _is_octal(word)):
        return f'{word} is read as the number {value}; write {value}, or "{word}" for the text'
    if node.tag == f"{_TAG}float" and (":" in word or "_" in word or value != value or abs(value) == float("inf")):
        return f'{word} is read as the number {value}; write a plain number, or "{word}" for the text'
    return ""


def _is_octal(word: str) -> bool:
    digits = word.lstrip("+-")
    return len(digits) > 1 and digits.startswith("0") and digits[1] not in "xXbB"
