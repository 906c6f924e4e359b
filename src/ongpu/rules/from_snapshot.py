"""A host's snapshot as evidence: what the probe read, in the words of the tools that it read it from.

So a live host, a recorded one and pasted text go through the same rules. What could not be read becomes `blind`;
what is absent says so where that is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ongpu.host.gpu import DeviceNodes, Gpu, KernelModule, Libraries, Nvml, PciGpu
from ongpu.host.ollama import Api, LoadedModel, OllamaInstall, Service
from ongpu.host.reading import Absent, Known, Reading, Unreadable, value_or_none
from ongpu.host.result import Unknown
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.system import Packages
from ongpu.rules import from_driver
from ongpu.rules.evidence import Evidence, Kind, Line
from ongpu.rules.from_journal import journal
from ongpu.rules.from_kernel import kernel_log, mended, started_too_early
from ongpu.rules.from_witnesses import witnesses
from ongpu.rules.recognise import bounded

Lines = Iterator[tuple[Kind, str]]
_MIB = 2**20
_DRIVER = re.compile(r"nvidia-(?:driver|dkms|kernel|open)|kmod-nvidia|akmod-nvidia|linux-modules-nvidia")
_FOUND_BY_OLLAMA = re.compile(r'msg="inference compute" .*library=(?i:cuda)\b')
_OLLAMA = re.compile("ollama|llama-server")
# NVML's clock event reasons (nvml.h), in nvidia-smi's words.
_REASONS = {
    0x2: "Applications Clocks Setting",
    0x4: "SW Power Cap",
    0x20: "SW Thermal Slowdown",
    0x40: "HW Thermal Slowdown",
    0x80: "HW Power Brake Slowdown",
}


def evidence_from(snapshot: HostSnapshot) -> Evidence:
    """Every section of the snapshot, as lines that rules read."""
    lines: list[Line] = []
    blind: list[Unknown] = []
    looked: list[str] = []
    for name, say in _SECTIONS.items():
        reading: Reading[object] = getattr(snapshot, name)
        match reading:
            case Known(value=value, source=source):
                lines.extend(Line(text, kind, source) for kind, text in say(value))
                looked.append(name.replace("_", " "))
            case Unreadable(why=why, allow=allow):
                blind.append(Unknown(what=name.replace("_", " "), why=why, allow=allow))
            case Absent(why=why):
                lines.extend(Line(text, kind, name) for kind, text in _absent(name, why))
                looked.append(name.replace("_", " "))
    lines.extend(line for line in (started_too_early(snapshot), _not_built(snapshot)) if line)
    lines.extend(witnesses(snapshot))
    lines = mended(snapshot, lines)
    if any(_FOUND_BY_OLLAMA.search(line.text) for line in lines):
        blind = [one for one in blind if one.what != "cuda"]  # then Ollama itself has tried it
    kept, _ = bounded(lines, lambda line: line.text)
    return Evidence(lines=kept, looked_at=tuple(looked), blind=tuple(blind), whole=True)


def _absent(name: str, why: str) -> Lines:
    if name == "pci":
        yield "system", f"no NVIDIA device on the PCI bus ({why})"
    elif name == "nvml":
        yield "smi", f"nvidia-smi is not installed ({why})"


def _pci(gpus: tuple[PciGpu, ...]) -> Lines:
    if not gpus:
        yield "system", "no NVIDIA device on the PCI bus"
    for gpu in gpus:
        yield "system", f"{gpu.address} 3D controller: NVIDIA Corporation Device {gpu.device_id}"
        if gpu.driver:
            yield "system", f"\tKernel driver in use: {gpu.driver}"
        if gpu.driver == "vfio-pci":
            yield "system", f"GPU {gpu.address} is bound to vfio-pci"


def _module(module: KernelModule) -> Lines:
    if loaded := value_or_none(module.loaded):
        yield "system", f"NVRM version: NVIDIA UNIX Kernel Module  {loaded.version}"
        disk = value_or_none(module.on_disk)
        if disk and disk.version != loaded.version:
            yield "system", f"the module on disk is {disk.version}, the loaded one {loaded.version}"
        match module.uvm_loaded:
            case Known(value=False) | Absent():
                yield "system", "nvidia_uvm is not loaded"
            case Known() | Unreadable():
                pass
    if value_or_none(module.nouveau_loaded):
        yield "system", "nouveau              2150400  0"


def _libraries(libraries: Libraries) -> Lines:
    for name, reading in (("libnvidia-ml.so", libraries.nvml), ("libcuda.so", libraries.cuda)):
        match reading:
            case Known(value=library):
                yield "package", library.resolved or library.path
            case Absent():
                yield "package", f"{name}.1 => not found"
            case Unreadable():
                pass
    for seen in value_or_none(libraries.found) or ():
        if seen.place == "LD_LIBRARY_PATH":
            yield "package", f"{seen.path} (LD_LIBRARY_PATH of ollama.service)"


def _packages(packages: Packages) -> Lines:
    for package in packages.installed:
        if package.name.startswith("ollama"):
            yield "package", f"{package.name} {package.version}"


def _nodes(nodes: DeviceNodes) -> Lines:
    for node in nodes.nodes:
        yield (
            "system",
            f"crw-rw---- 1 {node.owner} {node.group} {node.major}, {node.minor} {node.path} (mode {node.mode})",
        )
    match nodes.service_user_may_open:
        case Known(value=False, source=source):
            yield (
                "system",
                f"user {value_or_none(nodes.service_user) or 'of the service'} may not open /dev/nvidia* ({source})",
            )
        case Known() | Absent() | Unreadable():
            pass


def _nvml(nvml: Nvml) -> Lines:
    if nvml.exit_code:
        yield "smi", f"nvidia-smi: exit {nvml.exit_code} {nvml.message}"
        if nvml.exit_code == 9:
            yield "smi", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    elif nvml.message:
        yield "smi", nvml.message
    if version := value_or_none(nvml.driver_version):
        cuda = value_or_none(nvml.cuda_version) or "N/A"
        yield "smi", f"NVIDIA-SMI {version}   Driver Version: {version}   CUDA Version: {cuda}"
    if license_ := value_or_none(nvml.license):
        yield "smi", f"        License Status                    : {license_}"
    for gpu in value_or_none(nvml.gpus) or ():
        yield from _gpu(gpu)
    for process in value_or_none(nvml.processes) or ():
        held = value_or_none(process.used_bytes)
        if held and not _OLLAMA.search(process.name):
            yield "smi", f"process {process.pid} ({process.name}) holds {held // _MIB} MiB of GPU memory"


def _gpu(gpu: Gpu) -> Lines:
    info, memory, speed = gpu.info, gpu.memory, gpu.performance
    yield "smi", f"GPU {info.index}: {info.name} (UUID: {info.uuid})"
    if capability := value_or_none(info.compute_capability):
        yield "smi", f"GPU {info.index}: compute capability {capability}"
    if mode := value_or_none(info.compute_mode):
        yield "smi", f"GPU {info.index}: Compute Mode                          : {mode}"
    if value_or_none(gpu.settings.fabric) not in (None, "Completed"):
        yield "smi", f"        State                             : {value_or_none(gpu.settings.fabric)}"
    if value_or_none(info.mig):
        yield "smi", f"GPU {info.index}: MIG Mode Current : Enabled"
    yield from _settings(info.index, gpu)
    used, total = value_or_none(memory.used_bytes), value_or_none(memory.total_bytes)
    if used is not None and total:
        mode = value_or_none(info.compute_mode) or "Default"
        yield "smi", f"|  {used // _MIB}MiB / {total // _MIB}MiB |  {mode} |"
    mask = value_or_none(speed.throttle) or 0
    for bit, words in _REASONS.items():
        if mask & bit:
            yield "smi", f"    {words} : Active"
    if degrees := value_or_none(speed.temperature_c):
        yield "smi", f"    GPU Current Temp : {degrees} C"
    width, most = value_or_none(speed.pcie_width), value_or_none(speed.pcie_max_width)
    if width and most and width < most:
        yield "smi", f"GPU {info.index}: PCIe link width {width} of {most}"
    if errors := value_or_none(speed.uncorrected_ecc):
        yield "smi", f"GPU {info.index}: uncorrected ECC errors since start: {errors}"


def _settings(index: int, gpu: Gpu) -> Lines:
    """What the driver waits for, and what somebody has lowered."""
    settings = gpu.settings
    if action := value_or_none(settings.recovery_action):
        yield "smi", f"GPU {index}: GPU Recovery Action : {action}"
    for name, now, then in (
        ("ECC", settings.ecc, settings.ecc_pending),
        ("MIG", gpu.info.mig, settings.mig_pending),
    ):
        match now, then:
            case Known(value=mode), Known(value=coming) if mode != coming:
                yield "smi", f"GPU {index}: {name} mode is {'on' if mode else 'off'}, and the other way after a reset"
    limit, default = value_or_none(gpu.performance.power_limit_watts), value_or_none(settings.power_default_watts)
    if limit and default and limit < default:
        yield "smi", f"GPU {index}: power limit {limit:g} W, {default:g} W by default"
    if value_or_none(settings.remap_failed):
        yield "smi", f"GPU {index}: Remapping Failure Occurred : Yes"
    if value_or_none(settings.remap_pending):
        yield "smi", f"GPU {index}: Remapped Rows Pending : Yes"
    if state := value_or_none(settings.fabric):
        yield "smi", f"    Fabric State : {state}"
    for uuid in value_or_none(settings.mig_devices) or ():
        yield "smi", f"  MIG instance (UUID: {uuid})"


def _ollama(install: OllamaInstall) -> Lines:
    for tree in install.trees:
        for entry in tree.entries:
            yield "package", f"{tree.path}/{entry}"
        if not tree.entries:
            yield "package", f"{tree.path}: lib/ollama is empty"
    for packaging in install.packaging:
        yield "package", f"ollama is installed as {packaging}"
    match install.container_has_gpu:
        case Known(value=False):
            kinds = ", ".join(install.packaging)
            yield "container", f"ollama runs in a container ({kinds}) that has no GPU device"
        case Known() | Absent() | Unreadable():
            pass


def _service(service: Service) -> Lines:
    main = value_or_none(service.main)
    environ = value_or_none(main.environ) if main else None
    for name, value in (environ if environ is not None else service.environment).items():
        yield "env", f"{name}={value}"
    for name, value in service.properties.items():
        yield "env", f"{name}={value}"
    for runner in value_or_none(service.runners) or ():
        yield "log", " ".join(runner.process.command)
        for name, value in (value_or_none(runner.process.environ) or {}).items():
            if name.startswith("LLAMA_ARG_"):
                yield "env", f"{name}={value}"


def _api(api: Api) -> Lines:
    if version := value_or_none(api.version):
        yield "ps", f"ollama version is {version}"
    for model in value_or_none(api.loaded) or ():
        yield "ps", _row(model)


def _row(model: LoadedModel) -> str:
    """As `ollama ps` prints it; all of it on the GPU only when it is all of it."""
    share = model.size_vram_bytes / model.size_bytes if model.size_bytes else 0
    cpu = 0 if share >= 1 else min(100, max(1, round(100 * (1 - share))))
    where = "100% GPU" if cpu == 0 else "100% CPU" if cpu == 100 else f"{cpu}%/{100 - cpu}% CPU/GPU"
    context = f"    {model.context_length}" if model.context_length else ""
    return f"{model.name}    {model.digest[:12] or '0' * 12}    {model.size_bytes / 1e9:.1f} GB    {where}{context}"


def _not_built(snapshot: HostSnapshot) -> Line | None:
    """A driver package is installed, and the running kernel has no module of it."""
    module, packages = value_or_none(snapshot.module), value_or_none(snapshot.packages)
    if module is None or packages is None or not isinstance(module.loaded, Absent):
        return None
    driver = next((package.name for package in packages.installed if _DRIVER.search(package.name)), "")
    if driver and isinstance(module.on_disk, Absent):
        text = f"no NVIDIA kernel module for the running kernel, though {driver} is installed ({module.on_disk.why})"
        return Line(text, "system", "packages and modinfo")
    return None


_SECTIONS: dict[str, Callable[..., Lines]] = {
    "pci": _pci, "module": _module, "libraries": _libraries, "packages": _packages, "nodes": _nodes, "nvml": _nvml,
    "kernel_log": kernel_log, "ollama": _ollama, "service": _service, "api": _api, "journal": journal,
    "secure_boot": from_driver.secure_boot, "kernels": from_driver.kernels, "modprobe": from_driver.modprobe,
    "use": from_driver.use, "fabric": from_driver.fabric, "platform": from_driver.nothing,
    "installers": from_driver.nothing, "cuda": from_driver.cuda,
}  # fmt: skip
