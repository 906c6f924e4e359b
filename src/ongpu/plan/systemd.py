"""Values for systemd unit files: quoted so that the service gets exactly what was declared.

Rules: systemd.syntax(7) "Quoting" and systemd.exec(5) `Environment=`: C escapes inside quotes, `%` starts a
specifier, `$` has no special meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ongpu.plan.context import Halt
from ongpu.spec.variables import NOT_TEXT

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


def assignment(name: str, value: str) -> str:
    """`NAME=value` as one quoted word for `Environment=`.

    Raises Halt("unsupported") for what no unit file can carry: control characters (newlines above all), code points
    that are no text (systemd drops the whole line), odd names.
    """
    if not _NAME.match(name):
        raise Halt("unsupported", f"ollama.env: {name!r} is not the name of an environment variable")
    if NOT_TEXT.search(value):
        raise Halt("unsupported", f"ollama.env.{name} holds a newline or another control character; remove it")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{name}={escaped}"'


def command(words: Sequence[str]) -> str:
    """An `ExecStart=` line that runs exactly these words. Raises Halt("unsupported") for control characters."""
    return " ".join(_word(word) for word in words)


def _word(text: str) -> str:
    if NOT_TEXT.search(text):
        raise Halt("unsupported", f"{text!r} holds a newline or another control character; remove it")
    if re.fullmatch(r"[A-Za-z0-9_./:=@,+-]+", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
