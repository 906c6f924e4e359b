"""The kernel that boots next has the driver's module: looked at before anything reboots, and whenever else ongpu looks.

A kernel that was upgraded meanwhile, and for which DKMS could not build, is the commonest way to lose a GPU at a boot.
"""

from __future__ import annotations

from ongpu.host.boot import InstalledKernel, Kernels
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.plan import shell
from ongpu.plan.context import Context, Halt, because, known
from ongpu.plan.driver_state import DriverState
from ongpu.plan.types import Run

_LINES = 3  # of make.log


def next_kernel(context: Context) -> InstalledKernel | None:
    """None = it cannot be another than the running one, or its image lies elsewhere (containers).

    Raises Halt("unknown") when that cannot be told.
    """
    match context.snapshot.kernels:
        case Absent():
            return None
        case _:
            kernels = known(context.snapshot.kernels, "which kernel boots next")
    match kernels.next_boot:
        case Absent():
            return None
        case Known(value=release):
            return kernels.find(release)
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot tell which kernel boots next: {because(blind)}")


def build_for_next(context: Context, state: DriverState) -> Run | None:
    """The step that builds the installed driver's module for the next kernel; None = it is there.

    Raises Halt("unsupported") with make.log's lines when it was tried and failed, Halt("unknown") for what cannot be
    seen.
    """
    kernel = next_kernel(context)
    if kernel is None:
        return None
    match kernel.module:
        case Known(value=module) if module.version == state.installed:
            return None
        case Unreadable() as blind:
            raise Halt(
                "unknown", f"cannot tell whether {kernel.release}, which boots next, has a module: {because(blind)}"
            )
        case _:
            pass
    kernels = known(context.snapshot.kernels, "which kernel boots next")
    _require_buildable(kernels, kernel, state.installed)
    return build(context, kernel.release, state.installed)


def build_of(context: Context, version: str) -> Run | None:
    """The step that builds a driver that is still to be installed for the next kernel, where that is another one."""
    kernel, kernels = next_kernel(context), context.snapshot.kernels
    if kernel is None or not isinstance(kernels, Known) or kernel.release == kernels.value.running:
        return None
    return build(context, kernel.release, version)


def build(context: Context, release: str, version: str) -> Run:
    return shell.run(
        f"build the kernel module {version} for {release}, which boots next",
        "apt",
        "next-kernel",
        seconds=3600,
        KERNEL=release,
        VERSION=version,
        HEADERS=_headers(context, release),
    )


def _require_buildable(kernels: Kernels, kernel: InstalledKernel, version: str) -> None:
    failure = kernels.failure(kernel.release)
    if failure and failure.version == version:
        lines = "; ".join(failure.lines[:_LINES])
        raise Halt(
            "unsupported",
            f"kernel {kernel.release} boots next, and the driver {version} does not build for it: {lines} "
            f"({failure.log}). Until that is mended, no reboot: keep the running kernel ({kernels.running}) as the one "
            "that boots, or declare a driver branch that builds",
        )
    if not kernels.dkms:
        raise Halt(
            "unsupported",
            f"kernel {kernel.release} boots next, has no module of the driver {version}, and DKMS, which could build "
            "one, has no source of it: install the module's package for that kernel",
        )


def _headers(context: Context, release: str) -> str:
    packages = known(context.snapshot.packages, "which packages are installed")
    return f"linux-headers-{release}" if packages.manager == "apt" else ""
