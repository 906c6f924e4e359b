"""Where our own requests reach the service, from what it listens on (Ollama, envconfig/config.go `Host`)."""

from __future__ import annotations

import re

_PORT = 11434
# 127.0.0.1:11434   [::]:11434   http://0.0.0.0:8080   :11434   gpu01.example
_LISTEN = re.compile(r"^(?:https?://)?(?P<host>\[[^\]]*\]|[^:/]*)(?::(?P<port>\d+))?(?:/.*)?$")
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}  # noqa: S104


def api_url(listen: str) -> str:
    """`0.0.0.0:11434` -> `http://127.0.0.1:11434`."""
    found = _LISTEN.match(listen.strip())
    host, port = (found["host"], found["port"]) if found else ("", None)
    return f"http://{_EVERYWHERE.get(host, host)}:{port or _PORT}"
