"""The kernel's log as evidence, and what its times say about the service's start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from ongpu.host.reading import value_or_none
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.system import KernelLog
from ongpu.rules.evidence import Kind, Line
from ongpu.rules.peel import kernel_sentence

_OF_DRIVER = re.compile(r"NVRM|nvidia")
# 1795500147.346228 time=… (the journal's own stamp)
_SECONDS = re.compile(r"(\d{9,11}\.\d{1,6}) ")
_MISMATCH = re.compile(r"NVRM: API mismatch")
_DENIED = re.compile(r"avc: +denied")
_FOUND = re.compile(r'msg="inference compute" .*library=(?i:cuda)\b')
_STRANDED = Line(
    "ollama started before the GPU driver was mended: its models went to the CPU, and the driver works now",
    "system",
    "kernel log and nvidia-smi",
)
_AT_BOOT = timedelta(minutes=10)


def kernel_log(log: KernelLog) -> Iterator[tuple[Kind, str]]:
    """What the driver said before it was loaded last is over: a new load begins from a fresh state. Sentences that the
    driver wraps stand on one line, as they are read."""
    held = ""
    for line in log.lines:
        if log.module_loaded_at and line.at and line.at < log.module_loaded_at and _OF_DRIVER.match(line.text):
            continue
        if whole := kernel_sentence(held, line.text):
            held = whole
            continue
        if held:
            yield "kernel", held
        held = line.text
    if held:
        yield "kernel", held


def mended(snapshot: HostSnapshot, lines: list[Line]) -> list[Line]:
    """Without what the kernel said of libraries that did not match its module, where they do now: the driver answers,
    and no module was loaded for it. A service that lost its GPUs meanwhile is told apart."""
    nvml = value_or_none(snapshot.nvml)
    if nvml is None or nvml.exit_code or not value_or_none(nvml.gpus):
        return lines
    if allowed := _allowed_since(snapshot):
        lines = [line for line in lines if not (line.kind == "kernel" and line.text in allowed)]
    kept = [line for line in lines if not (line.kind == "kernel" and _MISMATCH.search(line.text))]
    return [*kept, _STRANDED] if len(kept) < len(lines) and _is_stranded(snapshot) else kept


def _allowed_since(snapshot: HostSnapshot) -> set[str]:
    """What SELinux denied before this start of a service that has found its GPU since."""
    service, log = value_or_none(snapshot.service), value_or_none(snapshot.kernel_log)
    journal = value_or_none(snapshot.journal)
    started = value_or_none(service.started_at) if service else None
    if log is None or journal is None or started is None or not any(_FOUND.search(line) for line in journal.lines):
        return set()
    return {line.text for line in log.lines if line.at and line.at < started and _DENIED.search(line.text)}


def _is_stranded(snapshot: HostSnapshot) -> bool:
    """Does Ollama, older than the mismatch, see no GPU, or is a model of it on the CPU as a whole?"""
    service, log = value_or_none(snapshot.service), value_or_none(snapshot.kernel_log)
    api, journal = value_or_none(snapshot.api), value_or_none(snapshot.journal)
    started = value_or_none(service.started_at) if service else None
    refused = (
        max((line.at for line in log.lines if line.at and _MISMATCH.search(line.text)), default=None) if log else None
    )
    if started is None or refused is None or refused <= started:
        return False
    found = [line for line in journal.lines if "inference compute" in line] if journal else []
    on_cpu = (
        any(model.size_bytes and not model.size_vram_bytes for model in value_or_none(api.loaded) or ())
        if api
        else False
    )
    return on_cpu or bool(found and all("library=cpu" in line for line in found))


def started_too_early(snapshot: HostSnapshot) -> Line | None:
    """The server's log of this start shows no GPU, the driver shows one now, and was loaded after it was started."""
    journal, nvml = value_or_none(snapshot.journal), value_or_none(snapshot.nvml)
    if journal is None or nvml is None or not value_or_none(nvml.gpus) or not _driver_was_later(snapshot):
        return None
    found = [line for line in journal.lines if "inference compute" in line]
    if found and all("library=cpu" in line for line in found):
        return Line(
            "ollama started before the GPU driver: no GPU in its log, one in nvidia-smi",
            "system",
            "journal and nvidia-smi",
        )
    return None


def _driver_was_later(snapshot: HostSnapshot) -> bool:
    """By the kernel's word. Where that line is gone: a service of the boot, on a host that has been up for longer."""
    service, system = value_or_none(snapshot.service), value_or_none(snapshot.system)
    log, journal = value_or_none(snapshot.kernel_log), value_or_none(snapshot.journal)
    started = value_or_none(service.started_at) if service else None
    if started is None:
        return True
    if log and log.module_loaded_at:
        # systemd tells whole seconds, the first line of the service's journal says it exactly.
        first = _SECONDS.match(journal.lines[0]) if journal and journal.lines and not journal.truncated else None
        exact = datetime.fromtimestamp(float(first[1]), UTC) if first else started + timedelta(seconds=1)
        return log.module_loaded_at > exact
    booted = value_or_none(system.booted_at) if system else None
    if system is None or booted is None:
        return True
    return started - booted <= _AT_BOOT < system.clock - booted
