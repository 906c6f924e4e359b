"""A file that ongpu owns: does the host's copy differ, and what would be written."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass

from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.host.system import ManagedFile
from ongpu.plan.context import Context, Halt, because, known
from ongpu.plan.secrets import changed_secrets, masked
from ongpu.plan.types import Put


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """`put` writes the file; `diff` is safe to print; `new` = there is none yet."""

    put: Put
    diff: str
    new: bool


def found(context: Context, path: str) -> ManagedFile | None:
    """The host's copy, None = not there. Raises Halt("unknown") when it could not be looked at."""
    files = known(context.snapshot.files, f"whether {path} is as declared").files
    match files.get(path, Unreadable("the probe did not look at it")):
        case Known(value=file):
            return file
        case Absent():
            return None
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot read {path}: {because(blind)}")


def content_of(context: Context, path: str) -> str:
    """The host's text, empty if there is none or it is not known. For diffs and hints only."""
    file = found(context, path)
    return value_or_none(file.content) or "" if file else ""


def written(context: Context, path: str, content: str, mode: str = "0644") -> Written | None:
    """None = content, mode and owner are as declared."""
    file = found(context, path)
    digest = hashlib.sha256(content.encode()).hexdigest()
    if (
        file
        and file.sha256 == digest
        and _octal(file.mode) == _octal(mode)
        and (file.owner, file.group) == ("root",) * 2
    ):
        return None
    old = value_or_none(file.content) or "" if file else ""
    return Written(put=Put(path=path, content=content, mode=mode), diff=diff(path, old, content), new=file is None)


def diff(path: str, old: str, new: str) -> str:
    """Unified, with secret values masked; empty when the texts are equal."""
    if old == new:
        return ""
    lines = difflib.unified_diff(
        masked(old).splitlines(keepends=True),
        masked(new).splitlines(keepends=True),
        fromfile=path if old else "/dev/null",
        tofile=path,
    )
    text = "".join(line if line.endswith("\n") else line + "\n" for line in lines)
    hidden = "".join(f"# {name}: another value (not shown)\n" for name in changed_secrets(old, new))
    return text + hidden


def _octal(mode: str) -> int:
    try:
        return int(mode, 8)
    except ValueError:
        return -1
