"""A person who does what `ongpu fix` prints."""

from __future__ import annotations

import re
import shlex

from tests.lab.causes import Typed
from tests.lab.machines import Host

_PLACEHOLDER = re.compile(r"\b[A-Z]{3,}(?:\.[a-z]+)?\b")


def commands_for(printed: str, host: str, cause: str) -> list[str]:
    """The lines after `$` under the host's finding, in the table that `ongpu fix` prints."""
    mine, found = "", []
    for line in printed.splitlines():
        if not line.startswith(" "):
            mine = line.split(" ")[0]
        elif line.startswith("  ") and line[2:3] != " ":
            here = mine == host and f" {cause}" in line
        elif line.lstrip().startswith("$ ") and here:
            found.append(line.lstrip()[2:])
    assert found, printed
    return found


def follow(host: Host, typed: Typed, commands: list[str]) -> None:
    """Type them as the user ops, who may use sudo; each must succeed."""
    if typed.before:
        host.out(typed.before)
    for command in commands:
        for word, value in typed.words.items():
            command = command.replace(word, value)
        assert not _PLACEHOLDER.search(re.sub(r"'[^']*'", "", command).replace("DEFAULT", "")), command
        if command == "sudo systemctl reboot":
            host.reboot()
            continue
        asked = f"printf {shlex.quote(typed.answer)} | " if typed.answer else ""
        host.out(f"{asked}runuser -u ops -- bash -c {shlex.quote(command)}")
