"""YAML text -> plain values with the line of every key. Duplicate keys, aliases and odd keys are errors. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str, ...]


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
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            tree.errors.append((1, "aliases (*name) are not supported: use groups for what hosts share"))
            return tree
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        tree.errors.append(_syntax(error))
        return tree
    except (ValueError, RecursionError) as error:  # characters that YAML forbids; nesting without end
        tree.errors.append((1, f"not YAML: {str(error) or 'nested too deeply'}"))
        return tree
    if node is None:
        tree.errors.append((1, "the file is empty: it needs at least `hosts:`"))
    elif not isinstance(node, yaml.MappingNode):
        tree.errors.append((1, "expected keys such as `defaults:` and `hosts:` at the top"))
    else:
        scalars = yaml.SafeLoader("")
        tree.value = _mapping(node, (), tree, scalars)
    return tree


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
        if isinstance(key, yaml.ScalarNode):
            yield key.value, line, child
        else:
            tree.errors.append((line, "a key must be one word or a quoted text"))


def _value(node: yaml.Node, path: Path, line: int, tree: Tree, scalars: yaml.SafeLoader) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, tree, scalars)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, str(i)), line, tree, scalars) for i, item in enumerate(node.value)]
    try:
        return scalars.construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError):
        tree.errors.append((line, f"{'.'.join(path)}: cannot be read as a value; put it in quotes"))
        return None
