"""Was the driver out of order since Ollama's start, so that its models lie on the CPU although the GPUs work now?

An upgrade of the driver's libraries under the loaded module makes every CUDA program fail until both match again. A
model that is loaded meanwhile goes to the CPU and stays there, also when the driver is mended: then only a restart
helps. Many other things put a model on the CPU (its size, num_gpu, a bad library tree), and for those a restart
would be repeated in vain by every run. So one is planned only on the kernel's own word that a client was refused
for its version *after* the process was started: the next process is started after it, and the reason is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from ongpu.host import ollama_log
from ongpu.host.model_name import full
from ongpu.host.ollama import Process, Runner, Service
from ongpu.host.reading import Known, value_or_none
from ongpu.plan.context import Context
from ongpu.plan.movers import movers

# NVRM: API mismatch: the client 'nvidia-smi' (pid 4711)          then, in further lines, the two versions
_REFUSED = re.compile(r"NVRM: API mismatch: the client '([^']*)' \(pid (\d{1,10})\)")
_MARGIN = timedelta(minutes=1)  # a runner may have failed some time before somebody else was refused


def reasons(context: Context, service: Service, process: Process) -> list[str]:
    """At most one, in a few words. Empty also when any part could not be seen: nothing is restarted on a guess."""
    nvml, started = value_or_none(context.snapshot.nvml), value_or_none(service.started_at)
    runners = value_or_none(service.runners)
    if nvml is None or started is None or runners is None or not value_or_none(nvml.gpus):
        return []
    refused = max(_refusals(context, {runner.process.pid for runner in runners}), default=None)
    environment = value_or_none(process.environ)
    if refused is None or refused <= started or environment is None or movers(environment):
        return []
    if _found_none(context):
        return ["it found no GPU while the driver's libraries did not match its module; they match now"]
    on_cpu = _on_cpu(context)
    if on_cpu and isinstance(nvml.processes, Known):
        on_gpu = {gpu_process.pid for gpu_process in nvml.processes.value}
        if any(_is_stranded(runner, on_gpu, refused) for runner in runners):
            names = ", ".join(on_cpu)
            return [f"{names} went to the CPU while the driver's libraries did not match its module; they match now"]
    return []


def _refusals(context: Context, runners: set[int]) -> Iterator[datetime]:
    """When the host's own nvidia-smi, which answers now, or one of these runners was refused. Others, such as a
    container with old libraries, may be refused all day long without a meaning for Ollama."""
    log = value_or_none(context.snapshot.kernel_log)
    for line in log.lines if log else ():
        found = _REFUSED.search(line.text)
        if found and line.at and (found[1] == "nvidia-smi" or int(found[2]) in runners):
            yield line.at


def _found_none(context: Context) -> bool:
    """Does the process's own journal say that there was no GPU at its start?"""
    journal = value_or_none(context.snapshot.journal)
    found = ollama_log.discoveries(journal.lines) if journal else ()
    return bool(found) and all(discovery.is_cpu for discovery in found)


def _on_cpu(context: Context) -> list[str]:
    """Declared models that are resident without a byte on a GPU."""
    api = value_or_none(context.snapshot.api)
    loaded = value_or_none(api.loaded) if api else None
    declared = {full(name) for name in context.spec.models}
    return [
        model.name
        for model in loaded or ()
        if full(model.name) in declared and model.size_bytes > 0 and model.size_vram_bytes == 0
    ]


def _is_stranded(runner: Runner, on_gpu: set[int], refused: datetime) -> bool:
    """The driver lists nothing of it, it was loaded before the driver was mended, and nothing keeps it off the GPU."""
    started, environment = value_or_none(runner.process.started_at), value_or_none(runner.process.environ)
    return (
        not runner.orphan
        and runner.process.pid not in on_gpu
        and started is not None
        and started <= refused + _MARGIN
        and environment is not None
        and not movers(environment)
    )
