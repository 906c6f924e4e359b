"""There is no NVIDIA kernel module for the running kernel.

What it means: The driver is installed, and its module was not built for the kernel that was booted.
Why it matters: The driver cannot load; no program can use the GPU.
How it comes about: A kernel upgrade without matching headers, a failed DKMS build (compiler, kernel too new for the
  driver), or a driver package for another kernel.
Fix: Install the running kernel's headers and build (sudo dkms autoinstall), then sudo modprobe nvidia. If the build
  fails, take a newer driver branch or boot the previous kernel.
Fix safety: safe; nothing that runs is touched.
References: dkms(8); /var/lib/dkms/nvidia/VERSION/build/make.log.
"""

from __future__ import annotations

from ongpu.rules.action import DRIVER, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes
from ongpu.rules.rule import Hit, Rule, likely, proven

_SAID = words(
    r"modprobe: (?:FATAL|ERROR)?:? ?Module nvidia[\w-]* not found", r"modinfo: ERROR: Module nvidia[\w-]* not found",
    "Bad return status for module build", r"dkms autoinstall[^\n]{0,120}failed for nvidia", r"could not find module by name='?nvidia",
    r"kernel headers for kernel \S+ cannot be found", r"kernel source[^\n]{0,60}cannot be found", r"^\s*nvidia(?:-current|-open)?/\S+: added",
    r"Building (?:module|initial module)[^\n]{0,80}nvidia[^\n]{0,80}fail", "ERROR: (?:Unable to find|modpost)[^\n]{0,60}(?:kernel source|GPL-incompatible)",
    r"dkms[^\n]{0,40}nvidia[^\n]{0,120}(?:error|failed|exit code)", "no NVIDIA (?:kernel )?module for (?:the running kernel|kernel)",
    r"[Mm]odule build for kernel[^\n]{0,80}was skipped", r"/nvidia/[^\n]{0,120}\] Error \d", r"unable to (?:load|find)[^\n]{0,30}nvidia\.ko", "disagrees about version of symbol",
    r"(?:module|Module)(?: was)? not found: '?nvidia", r"dkms (?:install|build)[^\n]{0,60}nvidia[^\n]{0,80}(?:exited|failed|FAILED)", r"DKMS module '?nvidia[^\n]{0,60}fail",
    r"nvidia[^\n]{0,60}kernel-headers package not installed",
)  # fmt: skip
# 6.8.0-45-generic     Linux gpu01 6.8.0-45-generic #45-Ubuntu SMP …
_RUNNING = words(
    r"^(?:\$ ?uname -r\s+)?(\d{1,2}\.\d{1,3}\.\d{1,3}-[\w.+-]{1,60})$",
    r"^Linux \S{1,80} (\d{1,2}\.\d{1,3}\S{1,60}) #\d",
)
# /lib/modules/6.8.0-40-generic/updates/dkms/nvidia.ko      nvidia/550.90.07, 6.8.0-40-generic, x86_64: installed
_BUILT = words(
    r"/lib/modules/([^/\s]{3,80})/[^\n]{0,120}nvidia[\w-]*\.ko",
    r"^nvidia[\w-]{0,20}(?:, |/)\d[\d.]{2,20}, ([^,\s]{3,80}), \w{3,10}: installed",
)
_OF_KERNEL = words(
    r"\b(?:works?|worked|fine|boots?)\b[^\n]{0,60}\b(?:kernel|linux-\w+)\b", r"\bkernel (?:was |got )?(?:updat|upgrad)\w+", r"\b(?:updat|upgrad|new)\w*[^\n]{0,30}\bkernel\b",
    r"\bDKMS\b[^\n]{0,60}\b(?:missing|reinstall\w*|rebuil\w+|not built)\b", r"\b(?:reinstall|rebuil)\w*[^\n]{0,40}\bDKMS\b",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    running = seen.match(_RUNNING)
    kernel = f" {running.match[1] or running.match[2]}" if running else ""
    if line := seen.find(_SAID):
        return proven(f"there is no NVIDIA kernel module for the running kernel{kernel}", line)
    built = {hit.match[1] or hit.match[2]: hit.line for hit in seen.all(_BUILT)}
    if running and built and kernel.strip() not in built:
        return likely(
            f"the NVIDIA module is built for {', '.join(built)}, not for{kernel}", running.line, *built.values()
        )
    silent, told = codes.nvml_codes(seen).get(9), seen.told(_OF_KERNEL)
    if silent and told and told.kind in ("prose", "text", "system"):
        return likely("the driver does not run with this kernel: its module is not built for it", silent, told)
    return None


RULE = Rule(
    id="SW-006",
    slug="module-missing-for-kernel",
    severity="critical",
    check=check,
    needs=("system", "smi", "text"),
    explains=("driver-not-running", "nvidia-uvm-not-loaded"),
    commands=("sudo apt-get install linux-headers-$(uname -r)", "sudo dkms autoinstall", "sudo modprobe nvidia"),
    repair=always(DRIVER),
    fires=(
        "modprobe: FATAL: Module nvidia not found in directory /lib/modules/6.8.0-45-generic",
        "Error! Bad return status for module build on kernel: 7.1.3-4-amd64 (x86_64)",
        "nvidia/580.95.05: added",
        "==> ERROR: module not found: 'nvidia_uvm'",
        "Linux gpu01 6.8.0-45-generic #45-Ubuntu SMP x86_64\nnvidia/550.90.07, 6.8.0-40-generic, x86_64: installed",
        "Error! Your kernel headers for kernel 6.1.0-25-amd64 cannot be found at /lib/modules/6.1.0-25-amd64/build",
    ),
    quiet=("nvidia/580.95.05, 6.8.0-45-generic, x86_64: installed",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)
