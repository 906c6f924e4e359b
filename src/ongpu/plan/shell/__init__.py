"""The shell that steps run: *.sh in this directory, joined and given their variables."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

from ongpu.plan.types import Run

_HERE = Path(__file__).parent
_NAME = re.compile(r"^[A-Z][A-Z_]*$")


@cache
def _text(name: str) -> str:
    return (_HERE / f"{name}.sh").read_text(encoding="utf-8")


def script(*names: str, **variables: str) -> str:
    """The files of `names` after common.sh, with `variables` set; stops at the first command that fails.

    In braces with its own standard input: the shell has read all of it before anything runs, and no command can
    eat the rest of the script.
    """
    if odd := [name for name in variables if not _NAME.match(name)]:
        raise ValueError(f"not shell variables: {odd}")
    settings = "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
    body = "\n".join(_text(name).strip("\n") for name in ("common", *names))
    return f"{{\nset -eu\n{settings}{body}\n}} </dev/null\n"


def run(what: str, *names: str, seconds: int = 600, progress: str = "", **variables: str) -> Run:
    """A step that runs such a script. It travels on standard input: long, and it may hold secrets."""
    return Run(command="sh -s", what=what, stdin=script(*names, **variables), seconds=seconds, progress=progress)
