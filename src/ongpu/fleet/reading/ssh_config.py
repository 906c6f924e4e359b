"""Of an ssh_config, the lines that can matter to one host.

A fleet's ssh_config has thousands of blocks. Reading all of them for each host would cost more than everything else, so
blocks are found by name, and only these lines go on to the parser (asyncssh's). `Match` blocks and what is in them are
passed on: their conditions are the parser's business.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ongpu.errors import ConfigError

_LINE = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*$")
_DEPTH = 16  # of Include, as OpenSSH (readconf.c, READCONF_MAX_DEPTH)
_LITERAL = re.compile(r"[^*?!]+")


def lines_for(config: str | None, host: str) -> list[str]:
    """The lines for a host, in their order; `config` None = the user's own file, if there is one.

    Raises ConfigError for a file that cannot be read.
    """
    if config is None:
        own = Path("~/.ssh/config").expanduser()
        return list(_file(own).lines(host)) if own.is_file() else []
    return list(_file(Path(config).expanduser()).lines(host))


def keywords(lines: Sequence[str]) -> set[str]:
    """In lower case."""
    return {found[1].lower() for line in lines if (found := _LINE.match(line))}


@dataclass(slots=True)
class _Block:
    """`header`: empty at the beginning of a file, a `Match` line, or `Host *` for a block that is taken for a host."""

    header: str
    patterns: tuple[str, ...] = ()
    lines: list[str | list[_File]] = field(default_factory=list)

    def fits(self, host: str) -> bool:
        """`Host a* !ab`: one pattern has to match, and no negated one may."""
        if not self.patterns:
            return True
        found = False
        for pattern in self.patterns:
            if _glob(pattern.removeprefix("!")).fullmatch(host):
                if pattern.startswith("!"):
                    return False
                found = True
        return found


@dataclass(slots=True)
class _File:
    blocks: list[_Block]
    by_name: dict[str, list[int]]
    others: list[int]

    def lines(self, host: str) -> Iterator[str]:
        numbers = {*self.by_name.get(host, ()), *(at for at in self.others if self.blocks[at].fits(host))}
        for at in sorted(numbers):
            block = self.blocks[at]
            if block.header:
                yield block.header
            for line in block.lines:
                if isinstance(line, str):
                    yield line
                    continue
                for file in line:
                    yield from file.lines(host)
                yield "Host *"  # what follows an Include belongs to the block that it stands in


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern), re.DOTALL)


@cache
def _file(path: Path, depth: int = 0) -> _File:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", str(path)) from None
    blocks = [_Block("")]
    for line in text.split("\n"):
        found = _LINE.match(line)
        keyword = found[1].lower() if found else ""
        if found is None:
            continue
        if keyword == "host":
            blocks.append(_Block("Host *", tuple(_words(found[2]))))
        elif keyword == "match":
            blocks.append(_Block(line.strip()))
        elif keyword == "include" and not blocks[-1].header.lower().startswith("match"):
            blocks[-1].lines.append([_file(one, depth + 1) for one in _included(found[2])] if depth < _DEPTH else [])
        else:
            blocks[-1].lines.append(line)
    return _indexed(blocks)


def _indexed(blocks: list[_Block]) -> _File:
    by_name: dict[str, list[int]] = {}
    others: list[int] = []
    for at, block in enumerate(blocks):
        if block.patterns and all(_LITERAL.fullmatch(pattern) for pattern in block.patterns):
            for pattern in block.patterns:
                by_name.setdefault(pattern, []).append(at)
        else:
            others.append(at)
    return _File(blocks, by_name, others)


def _included(text: str) -> Iterator[Path]:
    for word in _words(text):
        path = Path(word).expanduser()
        base, pattern = (Path(path.anchor), str(path.relative_to(path.anchor))) if path.anchor else (
            Path("~/.ssh").expanduser(), word
        )  # fmt: skip
        yield from sorted(found for found in base.glob(pattern) if found.is_file())


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return text.split()
