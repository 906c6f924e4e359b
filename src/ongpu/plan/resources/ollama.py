"""An Ollama release, beside the old one, checked, switched to at once.

The running service is not touched: it keeps the directory that it was started from until `restart`.
"""

from __future__ import annotations

import re

from ongpu.host.paths import BACKUPS, BINARY, CURRENT, PREVIOUS, RELEASES, REPLACED, STATE_DIR
from ongpu.plan import shell
from ongpu.plan.context import Context, Halt, Resource
from ongpu.plan.gate import architecture
from ongpu.plan.release import Installed, addons, installed
from ongpu.plan.resources.prerequisites import needs_zstd
from ongpu.plan.types import Change, Run, Send, Step
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
    steps: list[Step] = [] if there.unpacked else _fetch(context, there.version, arch)
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
        "ollama-current",
        "ollama-switch",
        VERSION=version,
        RELEASES=RELEASES,
        CURRENT=CURRENT,
        PREVIOUS=PREVIOUS,
        BINARY=BINARY,
        BACKUPS=BACKUPS,
        REPLACED=REPLACED,
    )


def _summary(there: Installed) -> str:
    if there.before == there.version:
        return f"ollama {there.version}: " + ("link it again" if there.unpacked else "incomplete, install it again")
    if there.before:
        return f"ollama {there.before} -> {there.version}"
    beside = f" (beside {there.beside}, which stays unused)" if there.beside else ""
    return f"install ollama {there.version}{beside}"


def _fetch(context: Context, version: str, arch: str) -> list[Step]:
    """The archives, each checked, then unpacked together."""
    release = context.spec.releases.ollama.get(version, Release())
    kind = "tar.zst" if needs_zstd(version) else "tgz"
    names = [f"ollama-linux-{arch}{suffix}.{kind}" for suffix in ("", *(f"-{addon}" for addon in addons(context)))]
    sums = {names[0]: (release.amd64 if arch == "amd64" else release.arm64) or "", **release.files}
    archives = [f"{STATE_DIR}/spool/{version}-{name}" for name in names]
    steps: list[Step] = []
    for name, archive in zip(names, archives, strict=True):
        declared = sums.get(name, "").removeprefix("sha256:").lower()
        steps += _brought(release, version, name, archive, declared)
    unpack = shell.run(
        f"unpack ollama {version}",
        "ollama-unpack",
        seconds=1800,
        ARCHIVES=" ".join(archives),
        VERSION=version,
        RELEASES=RELEASES,
    )
    return [*steps, unpack]


def _brought(release: Release, version: str, name: str, archive: str, declared: str) -> list[Step]:
    """One archive in the spool, right by its checksum: downloaded, or copied from a directory of the controller."""
    base = (release.from_ or f"{_SITE}/v{version}").rstrip("/")
    copied: list[Step] = []
    if base.startswith("/"):
        if not declared:
            copied.append(Send(source=f"{base}/sha256sum.txt", path=f"{STATE_DIR}/spool/{version}/sha256sum.txt"))
        copied.append(Send(source=f"{base}/{name}", path=archive))
        base = f"file://{STATE_DIR}/spool/{version}"
    step = shell.run(
        f"download ollama {version}" if not copied else f"check ollama {version}",
        "fetch",
        "ollama-download",
        seconds=7200,
        BASE=base,
        FILE=name,
        SUM=declared,
        ARCHIVE=archive,
        RELEASES=RELEASES,
    )
    return [*copied, step]


RESOURCE = Resource(name="ollama", applies=lambda spec: spec.ollama.wanted, changes=_changes)
