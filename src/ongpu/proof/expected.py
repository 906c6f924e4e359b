"""The GPUs that a host must have, as its inventory says, against those that answer. Less is a finding, more is not."""

from __future__ import annotations

from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.host.result import Evidence, Finding, Unknown
from ongpu.host.snapshot import HostSnapshot

_NOT_TOLD = (0, 4)  # nvidia-smi(1): fine, though its list could not be read; NVML_ERROR_NO_PERMISSION


def missing_gpus(count: int | None, name: str | None, snapshot: HostSnapshot) -> Finding | Unknown | None:
    """`count` and `name` are `expect.gpus` and `expect.name`. A GPU counts when NVML can talk to it: one that only the
    PCI bus shows serves nobody. Without a declared count one GPU is expected: this host is here for its GPUs."""
    if count == 0:
        return None
    declared = "no GPU answers" if count is None else f"expect.gpus is {count}, but no GPU answers"
    match snapshot.nvml:
        case Known(value=nvml):
            gpus = nvml.gpus
            said = nvml.message
        case Absent(why=why) | Unreadable(why=why):
            gpus, said = snapshot.nvml, why
    on_bus = value_or_none(snapshot.pci)
    bus = "" if on_bus is None else f"{len(on_bus)} on the PCI bus"
    match gpus:
        case Known(value=present, source=source):
            names = [gpu.info.name for gpu in present]
            if not present:
                return _finding(declared, bus, source, said)
            if count is not None and len(present) < count:
                return _finding(f"expect.gpus is {count}, but {len(present)} answer", bus, source, ", ".join(names))
            odd = [one for one in names if name is not None and name.lower() not in one.lower()]
            if odd:
                return _finding(f"expect.name is {name}, but there is {', '.join(odd)}", bus, source, odd[0])
            return None
        case Absent(why=why):
            return _finding(declared, bus, "NVML", said or why)
        case Unreadable(why=why, allow=allow):
            refused = isinstance(snapshot.nvml, Known) and snapshot.nvml.value.exit_code not in _NOT_TOLD
            if refused or (on_bus is not None and len(on_bus) < (count or 1)):
                return _finding(declared, bus, "NVML", said or why)
            return Unknown(what="GPUs", why=said or why, allow=allow)


def _finding(summary: str, bus: str, source: str, line: str) -> Finding:
    return Finding(
        rule="expect",
        cause="fewer-gpus-than-declared",
        severity="critical",
        summary=f"{summary} ({bus})" if bus else summary,
        because=line or "NVML lists no GPU",
        evidence=(Evidence(source=source, line=line or "no GPU"),),
    )
