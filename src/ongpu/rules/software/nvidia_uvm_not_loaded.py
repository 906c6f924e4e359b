"""The kernel module nvidia_uvm, or its device node, is not there.

What it means: CUDA needs nvidia_uvm and /dev/nvidia-uvm; nvidia-smi does not, so it works.
Why it matters: CUDA cannot start, and models run on the CPU while everything looks fine.
How it comes about: A host without a display that just started, a missing nvidia-modprobe, or a container or LXC that
  was not given the node (its number may change at each start of the host).
Fix: sudo nvidia-modprobe -u -c=0, put nvidia and nvidia_uvm into /etc/modules-load.d/nvidia.conf, restart Ollama. For
  LXC load the module on the host and pass /dev/nvidia-uvm and /dev/nvidia-uvm-tools.
Fix safety: restart.
References: Ollama docs/troubleshooting.mdx (codes 3, 46, 100, 999); NVIDIA nvidia-modprobe.
"""

from __future__ import annotations

from ongpu.rules.action import Converge, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, placement, places
from ongpu.rules.rule import Hit, Rule, likely, possible, proven

_ABSENT = words(
    r"/dev/nvidia-uvm'?: No such file", r"nvidia[-_]uvm (?:is )?not (?:loaded|found)", r"cannot access '?/dev/nvidia-uvm", "Module nvidia[-_]uvm not found",
    r"(?:no|missing) /dev/nvidia-uvm", r"modprobe: [^\n]{0,60}nvidia[-_]uvm",
)  # fmt: skip
_LISTED = words(r"^\s*nvidia +\d{6,9} +\d+", r"^[crwx-]{10}[^\n]{0,60}/dev/nvidia(?:0|ctl)", r"^/dev/nvidia(?:0|ctl)\b",
    r"lxc\.mount\.entry[:=] ?/dev/nvidia0", r"--device[= ]/dev/nvidia0",
)  # fmt: skip
_UVM = words(r"nvidia_uvm\s+\d", r"/dev/nvidia-uvm(?!-tools)")
_REMEDY = words(r"nvidia-modprobe (?:-c ?=?0 )?(?:-u\b|--unified-memory)", r"modprobe nvidia[-_]uvm")
_CODES = (999, 304)


def check(seen: Evidence) -> Hit | None:
    cuda = codes.cuda_codes(seen)
    code = next((cuda[number] for number in (*_CODES, 100) if number in cuda), None)
    if line := seen.find(_ABSENT):
        return proven("nvidia_uvm, which CUDA needs, is not loaded or has no device node", line, code)
    listing = seen.find(_LISTED)
    if listing and not seen.find(_UVM):
        return likely("the driver is listed without nvidia_uvm, which CUDA needs", listing, code)
    if code and any(number in cuda for number in _CODES):
        return likely("CUDA cannot start (unknown error), as without a working nvidia_uvm", code)
    if (nothing := placement.no_gpu(seen)) and (remedy := seen.told(_REMEDY)) and not places.slept(seen):
        return possible("somebody had to load nvidia_uvm by hand", remedy, nothing)
    if code and not places.wsl(seen) and not places.container(seen):
        return possible("CUDA finds no device, as without nvidia_uvm or its node", code)
    return None


RULE = Rule(
    id="SW-010",
    slug="nvidia-uvm-not-loaded",
    severity="critical",
    check=check,
    needs=("log", "system"),
    explains=("install-incomplete", "gpu-busy-or-exclusive"),
    commands=("sudo nvidia-modprobe -u -c=0", "sudo systemctl restart ollama"),
    repair=always(Converge(("module",)), Restart()),
    fires=(
        "cuInit err: 999",
        'level=DEBUG source=native_probe.go msg="native GPU discovery failed" error="cuInit failed: 999"',
        "ls: cannot access '/dev/nvidia-uvm': No such file or directory",
        "nvidia_drm            118784  0\nnvidia_modeset       1605632  1 nvidia_drm\nnvidia              60641280  1 nvidia_modeset",
    ),
    quiet=("nvidia_uvm           4911104  0\nnvidia              60641280  1 nvidia_uvm",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)
