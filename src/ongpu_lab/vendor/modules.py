"""NVIDIA's kernel modules as files that modinfo and depmod can read: object files with a `.modinfo` section."""

from __future__ import annotations

from typing import Literal

Flavour = Literal["open", "proprietary"]

# Name -> description and what it depends on. modinfo of NVIDIA's modules, 535 (proprietary) and 580 (open).
MODULES: dict[str, tuple[str, str]] = {
    "nvidia": ("NVIDIA core GPU kernel module", ""),
    "nvidia-uvm": ("NVIDIA Unified Virtual Memory", "nvidia"),
    "nvidia-modeset": ("NVIDIA mode setting", "nvidia"),
    "nvidia-drm": ("NVIDIA Direct Rendering Manager", "nvidia-modeset"),
}
# What a module exports for the ones that depend on it: depmod finds the order by it. github.com/NVIDIA/
# open-gpu-kernel-modules: kernel-open/nvidia/nv_uvm_interface.c, nv-modeset-interface.c, nvidia-modeset.
_EXPORTS = {
    "nvidia": ("nvUvmInterfaceRegisterGpu", "nvidia_get_rm_ops"),
    "nvidia-modeset": ("nvKmsKapiGetFunctionsTable",),
}
_IMPORTS = {
    "nvidia-uvm": "nvUvmInterfaceRegisterGpu",
    "nvidia-modeset": "nvidia_get_rm_ops",
    "nvidia-drm": "nvKmsKapiGetFunctionsTable",
}
_FIRMWARE = ("gsp_tu10x.bin", "gsp_ga10x.bin")
# What udev finds the module by: bridges (NVSwitch), 3D and VGA controllers of NVIDIA
_ALIASES = (
    "char-major-195-*",
    "pci:v000010DEd*sv*sd*bc06sc80i00*",
    "pci:v000010DEd*sv*sd*bc03sc02i00*",
    "pci:v000010DEd*sv*sd*bc03sc00i00*",
)


def information(name: str, driver: str, flavour: Flavour, kernel: str) -> list[str]:
    """The `key=value` strings of one module, in modinfo's order."""
    description, depends = MODULES[name]
    lines = [f"description={description}"]
    if name == "nvidia":
        lines += [f"firmware=nvidia/{driver}/{file}" for file in _FIRMWARE]
        lines += [f"alias={alias}" for alias in _ALIASES]
    lines += [
        f"version={driver}",
        "supported=external",
        f"license={'Dual MIT/GPL' if flavour == 'open' else 'NVIDIA'}",
        f"depends={depends}",
        "retpoline=Y",
        f"name={name.replace('-', '_')}",
        f"vermagic={kernel} SMP preempt mod_unload modversions ",
    ]
    return lines


def assembler(name: str, driver: str, flavour: Flavour, kernel: str) -> str:
    """GNU assembler source of the object file."""
    lines = ['\t.section .modinfo,"a",@progbits']
    lines += [f'\t.asciz "{line}"' for line in information(name, driver, flavour, kernel)]
    if name in _EXPORTS:
        lines.append('\t.section __ksymtab_strings,"aMS",@progbits,1')
        lines += [f'\t.asciz "{symbol}"' for symbol in _EXPORTS[name]]
    if name in _IMPORTS:
        lines += ['\t.section .lab,"aw",@progbits', f"\t.quad {_IMPORTS[name]}"]
    return "\n".join([*lines, '\t.section .note.GNU-stack,"",@progbits', ""])
