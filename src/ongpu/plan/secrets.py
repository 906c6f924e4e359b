"""What must not be shown in summaries and diffs: the same rules as for snapshots (ongpu.host.redact)."""

from __future__ import annotations

import re

from ongpu.host.redact import redact_text, redact_variable

# Environment="HF_TOKEN=abc"
_ENVIRONMENT = re.compile(r'^\s*Environment="?([A-Za-z_][A-Za-z0-9_]*)=(.*?)"?\s*$')


def shown(name: str, value: str) -> str:
    """The value as it may be printed."""
    return redact_variable(name, value)


def is_secret(name: str, value: str) -> bool:
    return shown(name, value) != value


def masked(text: str) -> str:
    """A unit file's text with secret values replaced, line by line."""
    return "".join(redact_text(line) for line in text.splitlines(keepends=True))


def changed_secrets(old: str, new: str) -> list[str]:
    """Names whose secret value differs between two unit files: their masked lines look the same."""
    before, after = _secrets_of(old), _secrets_of(new)
    return sorted(name for name in before.keys() & after.keys() if before[name] != after[name])


def _secrets_of(text: str) -> dict[str, str]:
    found = (_ENVIRONMENT.match(line) for line in text.splitlines())
    return {line[1]: line[2] for line in found if line and is_secret(line[1], line[2])}
