"""What a fault is, and what it may do to a host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ongpu_lab.errors import LabError

if TYPE_CHECKING:
    from ongpu_lab.lab import Lab


@dataclass(frozen=True, slots=True)
class Fault:
    """`name` is the file's, with dashes; `summary` and `help` come from its docstring. One `of_lab` has no host; one
    that `ends_with_start` is over when its host is started. `cause` is the diagnosis rule that it makes fire; most are
    named after it."""

    name: str
    cause: str
    summary: str
    help: str
    of_lab: bool
    ends_with_start: bool
    apply: Callable[[Target], None]
    clear: Callable[[Target], None]


@dataclass(frozen=True, slots=True)
class Target:
    """A host (or, with an empty name, the whole lab) as a fault sees it."""

    lab: Lab
    host: str = ""

    def sh(self, script: str, timeout: float = 120) -> str:
        """Run a shell script on the host as root; its output. Raises LabError when a command in it fails."""
        done = self.lab.run(self.host, "sh", "-euc", script, timeout=timeout)
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise LabError(f"{self.host}: the fault's commands ended with {done.returncode}: {last}")
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Put a file on the host, with its directories."""
        done = self.lab.run(self.host, "sh", "-euc", 'mkdir -p "${1%/*}"; cat >"$1"', "sh", path, stdin=text)
        if done.returncode != 0:
            raise LabError(f"{self.host}: cannot write {path}: {done.stderr.strip()}")

    def read(self, path: str) -> str:
        """A file's text; empty where there is none."""
        return self.lab.run(self.host, "cat", path).stdout

    def knob(self, file: str, section: str, key: str, value: str | None) -> None:
        """Set a key in one of the stand-ins' INI files on the host, or take it out (None)."""
        self.write(file, with_key(self.read(file), section, key, value))

    def site_knob(self, section: str, key: str, value: str | None) -> None:
        """Set a key in the web server's knobs file, which it reads at each request."""
        path: Path = self.lab.dir / "serve.ini"
        path.write_text(with_key(path.read_text(), section, key, value))

    def ask(self, do: str, **more: object) -> None:
        """Have the supervisor do something to the host: see Supervisor."""
        self.lab.ask(do, self.host, **more)


def with_key(text: str, section: str, key: str, value: str | None) -> str:
    """INI text with one key of a section set, or taken out (None). Every other line stays as it is, comments too."""
    before, inside, after = _split(text.splitlines(), section)
    inside = [line for line in inside if line.partition("=")[0].strip() != key]
    if value is not None:
        inside.insert(0, f"{key} = {value}")
    if any(line.strip() for line in inside):
        inside.insert(0, f"[{section}]")
    return "".join(line + "\n" for line in [*before, *inside, *after])


def _split(lines: list[str], section: str) -> tuple[list[str], list[str], list[str]]:
    """The lines before a section's heading, those inside of the section, and those from the next heading on."""
    headings = [number for number, line in enumerate(lines) if line.startswith("[")]
    start = next((number for number in headings if lines[number].strip() == f"[{section}]"), len(lines))
    end = next((number for number in headings if number > start), len(lines))
    return lines[:start], lines[start + 1 : end], lines[end:]
