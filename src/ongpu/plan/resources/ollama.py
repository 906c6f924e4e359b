"""An Ollama release, beside the old one, checked, switched to at once.

The running service is not touched: it keeps the directory that it was started from until `restart`.
"""

from __future__ import annotations

import re

from ongpu.host.paths import BACKUPS, BINARY, CURRENT, RELEASES, REPLACED, STATE_DIR
from ongpu.plan import shell
from ongpu.plan.context import Context, Halt, Resource
from ongpu.plan.gate import architecture
from ongpu.plan.release import Installed, installed
from ongpu.plan.resources.prerequisites import needs_zstd
from ongpu.plan.types import Change, Run
from ongpu.spec.model import Release

_SITE = "https://github.com/ollama/ollama/releases/download"
_VERSION = re.compile(r"^[0-9][0-9A-Za-z.+_-]*$")


def _changes(context: Context) -> list[Change]:
    arch = architecture(context)
    there = installed(context)
    if there.ours or there.adopted:
        return []
    if not _VERSION.match(there.version):
        raise Halt("unsupported", f"ollama.release {there.version!r} is not a version such as 0.32.15")
    steps = [] if there.unpacked else _fetch(context, there.version, arch)
    steps.append(_switch(there.version))
    return [Change(resource="ollama", summary=_summary(there), steps=tuple(steps))]


def again(context: Context) -> Change:
    """The declared release in place of what is there, complete or not. Raises Halt where it is not ours to install."""
    version = installed(context).version
    steps = (*_fetch(context, version, architecture(context)), _switch(version))
    return Change(resource="ollama", summary=f"install ollama {version} again", steps=steps)


def _switch(version: str) -> Run:
    return shell.run(
        f"switch to ollama {version}",
        "ollama-switch",
        VERSION=version,
        RELEASES=RELEASES,
        CURRENT=CURRENT,
        BINARY=BINARY,
        BACKUPS=BACKUPS,
        REPLACED=REPLACED,
    )


def _summary(there: Installed) -> str:
    if there.before == there.version:
        return f"ollama {there.version}: " + ("link it again" if there.unpacked else "incomplete, install it again")
    return f"ollama {there.before} -> {there.version}" if there.before else f"install ollama {there.version}"


def _fetch(context: Context, version: str, arch: str) -> list[Run]:
    release = context.spec.releases.ollama.get(version, Release())
    name = f"ollama-linux-{arch}.{'tar.zst' if needs_zstd(version) else 'tgz'}"
    base = (release.from_ or f"{_SITE}/v{version}").rstrip("/")
    archive = f"{STATE_DIR}/spool/{version}-{name}"
    declared = (release.amd64 if arch == "amd64" else release.arm64) or ""
    return [
        shell.run(
            f"download ollama {version}",
            "fetch",
            "ollama-download",
            seconds=7200,
            BASE=base,
            FILE=name,
            SUM=declared.removeprefix("sha256:").lower(),
            ARCHIVE=archive,
            RELEASES=RELEASES,
        ),
        shell.run(
            f"unpack ollama {version}",
            "ollama-unpack",
            seconds=1800,
            ARCHIVE=archive,
            VERSION=version,
            RELEASES=RELEASES,
        ),
    ]


RESOURCE = Resource(name="ollama", applies=lambda spec: spec.ollama.manage, changes=_changes)
