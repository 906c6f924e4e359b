"""Faults of the imitated web sites: an INI file that is read again for each request.

A section names a host and, optionally, the beginning of a path; the longest that fits a request decides::

    [github.com]
    status = 503            the answer's status, with an empty page
    [registry.ollama.ai/v2/library/llama3.2/]
    truncate = 1000         the connection is closed after that many bytes of the body
    [developer.download.nvidia.com]
    down = yes              the connection is closed without an answer
    [*]
    bytes_per_second = 500000
    delay = 2               seconds before the answer
    corrupt = yes           the body's first byte is changed

`*` fits every host. A file that is not there means no faults; one that cannot be read as INI is a fault of its own:
every request is answered with status 500 and the reason.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with a request; the defaults mean nothing."""

    status: int = 0
    down: bool = False
    truncate: int | None = None
    bytes_per_second: float = 0.0
    delay: float = 0.0
    corrupt: bool = False


NONE = Fault()


def read(path: Path) -> configparser.ConfigParser:
    """Raises configparser.Error for a file that is no INI, ValueError for one that is no text."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text())
    except OSError:
        return configparser.ConfigParser()
    return parser


def fault_for(parser: configparser.ConfigParser, host: str, path: str) -> Fault:
    """The fault of the longest section that fits. Raises ValueError for a value of the wrong kind."""
    fitting = [name for name in parser.sections() if name == "*" or f"{host}{path}".startswith(name)]
    if not fitting:
        return NONE
    section = parser[max(fitting, key=lambda name: (name != "*", len(name)))]
    return Fault(
        status=section.getint("status", 0),
        down=section.getboolean("down", False),
        truncate=section.getint("truncate", None),
        bytes_per_second=section.getfloat("bytes_per_second", 0.0),
        delay=section.getfloat("delay", 0.0),
        corrupt=section.getboolean("corrupt", False),
    )
