"""What the driver says through nvidia-smi: GPUs, their memory and performance, and the processes on them."""

from __future__ import annotations

import csv
import re

from ongpu.host.gpu import Gpu, GpuInfo, GpuMemory, GpuPerformance, GpuProcess, Nvml, pci_address
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe.output import Output, Part
from ongpu.probe.section import Section
from ongpu.probe.smi_text import PERMISSION, mib, mig_devices, settings, switch, value, virtualization
from ongpu.probe.values import to_float, to_int

# Accepted by nvidia-smi 470, 535, 550, 580, 595 and 615 alike (reference: `nvidia-smi --help-query-gpu`; tried with
# each). A field that it does not know makes it print nothing else and exit with 2. `name` is last: it is the only
# one that could hold a comma, and nvidia-smi quotes nothing.
_COMMON = (
    "index,uuid,pci.bus_id,driver_version,vbios_version,persistence_mode,mig.mode.current,compute_mode,memory.total,"
    "memory.used,memory.free,utilization.gpu,power.draw,power.limit,temperature.gpu,clocks.sm,clocks.max.sm,clocks.mem,"
    "clocks.max.mem,clocks_throttle_reasons.active,pcie.link.gen.current,pcie.link.gen.max,pcie.link.width.current,"
    "pcie.link.width.max,ecc.errors.uncorrected.volatile.total,power.default_limit,power.min_limit,power.max_limit,"
    "ecc.mode.current,ecc.mode.pending,mig.mode.pending"
)
SINCE_535 = "gsp.mode.current,fabric.state,fabric.status"
# nvidia-smi's change log says 560 and 565; the oldest that was tried is 580.
SINCE_570 = "gpu_recovery_action,remapped_rows.pending,remapped_rows.failure"
CORE = f"{_COMMON},name"
FIELDS = f"{_COMMON},compute_cap,name"  # compute_cap since 510
ASKED = (FIELDS, f"{SINCE_535},{FIELDS}", f"{SINCE_570},{SINCE_535},{FIELDS}")
APPS = "pid,gpu_uuid,used_gpu_memory,process_name"
CHILD = "ongpu-nvml"  # the name of the process in which probe/local.py asks NVML
CUDA = "ongpu-cuda"  # and the one that asks CUDA (host/cuda.py)
LIMIT = 20  # seconds; a GPU that nobody keeps initialised takes 1 to 3 to wake, one after the other

# Questions that have waited in the kernel (state D) for more than a minute: nobody is sent after them. A process's
# start, the 22nd field of stat, is in hundredths of a second since boot.
HUNG = rf"""hung() {{
  read -r up idle </proc/uptime
  grep -hsE '^[0-9]+ \((nvidia-smi|{CHILD}|{CUDA})\) D ' /proc/[0-9]*/stat | while read -r stat; do
    set -- $stat; [ "$((${{up%.*}} - ${{22}} / 100))" -le 60 ] || printf '%s\n' "$1"
  done
}}
"""

# Without the kernel module nvidia-smi is not asked: as root, NVML makes /dev/nvidiactl by itself and calls
# nvidia-modprobe, which may load the module. /dev/dxg is WSL, which has no module. When the GPUs answered, the
# processes and the banner are asked at the same time: without persistence each would wake the GPUs anew. When they
# did not, nothing more is asked: a driver that hangs would keep one more process for ever.
SHELL = rf"""
PATH=$PATH:/usr/lib/wsl/lib
smi() {{ bound {LIMIT} nvidia-smi "$@"; }}
gpus() {{ smi --query-gpu="$1" --format=csv,noheader,nounits; }}
apps() {{ smi --query-compute-apps={APPS} --format=csv,noheader,nounits; }}
banner() {{ smi; }}
{HUNG}mig() {{ smi -L | grep -E '^ *(GPU|MIG) '; }}
licence() {{ smi -q | grep -E '^ +(Virtualization Mode|License Status) +:'; }}
rest() {{
  p apps apps | {{ p banner banner; cat; }}
  # Asked only where there is something to see: MIG instances, the licence daemon of a vGPU guest.
  set -- /proc/driver/nvidia/capabilities/gpu*/mig/gi*
  if [ -e "$1" ]; then p mig mig; else p nomig printf 'no\n'; fi
  if have nvidia-gridd; then p licence licence; else p nogridd printf 'no\n'; fi
}}
if ! need gpus nvidia-smi; then :
elif [ ! -e /sys/module/nvidia ] && [ ! -e /proc/driver/nvidia/version ] && [ ! -e /dev/dxg ]; then
  p unloaded printf 'no\n'
elif old=$(hung) && [ -n "$old" ]; then
  p hung printf '%s\n' $old
else
  fields={FIELDS}; branch=
  [ -r /sys/module/nvidia/version ] && read -r branch </sys/module/nvidia/version; branch=${{branch%%.*}}
  case $branch in ''|*[!0-9]*) branch=0 ;; esac
  [ "$branch" -lt 535 ] || fields={SINCE_535},$fields
  [ "$branch" -lt 570 ] || fields={SINCE_570},$fields
  p asked printf '%s\n' "$fields"
  p gpus gpus "$fields"
  [ "$P" != 2 ] || p plain gpus {FIELDS}
  [ "$P" != 2 ] || p core gpus {CORE}
  [ "$P" != 0 ] || rest
fi
"""

NOT_RUN = "nvidia-smi was not asked: the kernel module nvidia is not loaded"
_LOOK = "look for a hung driver: dmesg, ps (state D)"
# | NVIDIA-SMI 550.163.01             Driver Version: 550.163.01     CUDA Version: 12.4     |
# | NVIDIA-SMI 615.71.09              KMD Version: 615.71.09         CUDA UMD Version: 13.4 |     since 610
_CUDA = re.compile(r"CUDA (?:UMD )?Version: *(\d{1,3}\.\d{1,3})\b")
_NO_DEVICES = re.compile(r"^No devices were found", re.MULTILINE)


def parse(output: Output) -> Known[Nvml] | Absent | Unreadable:
    """A driver that hangs is Unreadable as a whole; one that refuses is Known with its exit code and its words."""
    if output["unloaded"].ok:
        return Known(_silent(9, NOT_RUN), "/sys/module/nvidia")
    if waits := hung(output):
        return waits
    name = next(name for name in ("core", "plain", "gpus") if name in output.parts or name == "gpus")
    part = output[name]
    if part.missing:
        return Absent("nvidia-smi is not installed")
    if part.rc is None and not output.parts:
        return Unreadable("the probe was cut off before nvidia-smi was asked")
    if part.rc is None or part.timed_out:
        return Unreadable(f"nvidia-smi gave no answer within {LIMIT} seconds", _LOOK)
    words = " ".join(line.strip() for line in part.lines)[:500]
    if part.rc == 6 or (part.rc == 0 and _NO_DEVICES.search(part.text)):
        blind = Unreadable(f"nvidia-smi: {words}")
        return Known(
            Nvml(
                exit_code=part.rc,
                message=words,
                driver_version=blind,
                cuda_version=blind,
                gpus=Known((), "nvidia-smi"),
                processes=Known((), "nvidia-smi"),
            ),
            "nvidia-smi",
        )
    if part.rc != 0:
        return Known(_silent(part.rc, words), "nvidia-smi")
    asked = {"core": CORE, "plain": FIELDS, "gpus": output["asked"].text.strip() or FIELDS}[name]
    if asked not in (CORE, *ASKED):
        return Unreadable(f"nvidia-smi: the question arrived damaged: {asked[:80]!r}")
    return Known(_spoken(output, part, asked), "nvidia-smi")


def hung(output: Output) -> Unreadable | None:
    """What HUNG found: an earlier question that still waits in the driver."""
    if not output["hung"].ok or not output["hung"].lines:
        return None
    pids = ", ".join(output["hung"].lines[:5])
    return Unreadable(f"an earlier question (process {pids}) still waits in the driver; it was not asked again", _LOOK)


def _silent(code: int, words: str) -> Nvml:
    blind = Unreadable(words if words == NOT_RUN else f"nvidia-smi: {words or f'exit {code}'}", _allow(code))
    return Nvml(exit_code=code, message=words, driver_version=blind, cuda_version=blind, gpus=blind, processes=blind)


def _allow(code: int) -> str:
    return PERMISSION if code == 4 else ""


def _spoken(output: Output, part: Part, fields: str) -> Nvml:
    warnings = [line.strip() for line in part.lines if line.startswith("WARNING")]
    gpus: list[Gpu] = []
    drivers: list[str] = []
    trouble = ""
    mig = mig_devices(output)
    for line in part.lines:
        if line.startswith("WARNING"):
            continue
        row = _row(line, fields)
        gpu = _gpu(row, mig) if row else None
        if row is None or gpu is None:
            trouble = trouble or f"nvidia-smi: unexpected line {line[:200]!r}"
        else:
            gpus.append(gpu)
            drivers.append(row["driver_version"])
    if not gpus and not trouble:
        trouble = "nvidia-smi: exit 0 and no output"
    driver = value(drivers[0], str) if drivers else Unreadable(trouble)
    mode, license_ = virtualization(output)
    return Nvml(
        exit_code=0,
        message=" ".join(warnings)[:500],
        driver_version=driver,
        cuda_version=_cuda(output["banner"]),
        gpus=Unreadable(trouble) if trouble else Known(tuple(gpus), "nvidia-smi"),
        processes=_processes(output["apps"]),
        virtualization=mode,
        license=license_,
    )


def _row(line: str, asked: str) -> dict[str, str] | None:
    """The last field takes what is left: nvidia-smi does not quote a comma in a name."""
    try:
        values = next(csv.reader([line], quoting=csv.QUOTE_NONE, skipinitialspace=True), [])
    except csv.Error:
        return None
    fields = asked.split(",")
    if len(values) < len(fields):
        return None
    last = len(fields) - 1
    return dict(zip(fields, [*values[:last], ", ".join(values[last:])], strict=True))


def _gpu(row: dict[str, str], mig: dict[str, tuple[str, ...]] | Unreadable) -> Gpu | None:
    index, address = to_int(row["index"]), pci_address(row["pci.bus_id"])
    if index is None or address is None or not row["uuid"].startswith("GPU-"):
        return None
    return Gpu(
        info=GpuInfo(
            index=index,
            uuid=row["uuid"],
            name=row["name"],
            pci_address=address,
            compute_capability=value(row.get("compute_cap", "[N/A]"), _capability),
            persistence=value(row["persistence_mode"], switch),
            mig=value(row["mig.mode.current"], switch),
            compute_mode=value(row["compute_mode"], str),
            vbios=value(row["vbios_version"], str),
        ),
        memory=GpuMemory(
            total_bytes=value(row["memory.total"], mib),
            used_bytes=value(row["memory.used"], mib),
            free_bytes=value(row["memory.free"], mib),
        ),
        performance=GpuPerformance(
            utilization_percent=value(row["utilization.gpu"], to_int),
            power_watts=value(row["power.draw"], to_float),
            power_limit_watts=value(row["power.limit"], to_float),
            temperature_c=value(row["temperature.gpu"], to_int),
            sm_clock_mhz=value(row["clocks.sm"], to_int),
            max_sm_clock_mhz=value(row["clocks.max.sm"], to_int),
            memory_clock_mhz=value(row["clocks.mem"], to_int),
            max_memory_clock_mhz=value(row["clocks.max.mem"], to_int),
            throttle=value(row["clocks_throttle_reasons.active"], to_int),
            pcie_generation=value(row["pcie.link.gen.current"], to_int),
            pcie_max_generation=value(row["pcie.link.gen.max"], to_int),
            pcie_width=value(row["pcie.link.width.current"], to_int),
            pcie_max_width=value(row["pcie.link.width.max"], to_int),
            uncorrected_ecc=value(row["ecc.errors.uncorrected.volatile.total"], to_int),
        ),
        settings=settings(row, mig),
    )


def _capability(text: str) -> str | None:
    return text if re.fullmatch(r"\d{1,2}\.\d", text) else None


def _cuda(banner: Part) -> Reading[str]:
    found = _CUDA.search(banner.text)
    if found:
        return Known(found[1], "nvidia-smi")
    return Unreadable(f"nvidia-smi: {banner.trouble or 'no CUDA version in its table'}")


def _processes(apps: Part) -> Reading[tuple[GpuProcess, ...]]:
    if apps.trouble:
        return Unreadable(f"nvidia-smi --query-compute-apps: {apps.trouble}")
    processes = []
    for line in apps.lines:
        row = _row(line, APPS)
        pid = to_int(row["pid"]) if row else None
        if row is None or pid is None:
            return Unreadable(f"nvidia-smi --query-compute-apps: unexpected line {line[:200]!r}")
        used = value(row["used_gpu_memory"], mib)
        processes.append(GpuProcess(pid=pid, name=row["process_name"], gpu_uuid=row["gpu_uuid"], used_bytes=used))
    return Known(tuple(processes), "nvidia-smi")


SECTION = Section(name="nvml", shell=SHELL, parse=parse, seconds=42, max_bytes=131072)
