"""Values for systemd unit files: quoted so that the service gets exactly what was declared.

Rules: systemd.syntax(7) "Quoting" and systemd.exec(5) `Environment=`: C escapes inside quotes, `%` starts a
specifier, `$` has no special meaning.
"""

from __future__ import annotations

import re

from ongpu.plan.context import Halt
from ongpu.spec.values import NOT_TEXT

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
