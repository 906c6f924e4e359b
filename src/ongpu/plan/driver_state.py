"""The driver on a host as its packages and its loaded module tell it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ongpu.host.gpu import KernelModule, PciGpu
from ongpu.host.reading import Known, Unreadable, value_or_none
from ongpu.host.system import Package, Packages
from ongpu.plan.choice import Choice, auto_branch, choose
from ongpu.plan.context import Context, Halt, because, known
from ongpu.plan.distributions import Distribution, distribution_of
from ongpu.plan.gate import system_of
from ongpu.plan.policy import driver_works

# nvidia-driver-cuda 580.95.05-1   libnvidia-compute-580 580.95.05-0ubuntu1   (epoch possible)
_UPSTREAM = re.compile(r"^(?:\d+:)?(\d{3}(?:\.\d+)+)(?:[-+~].*)?$")


def upstream(package_version: str) -> str:
    """`580.95.05-1` -> `580.95.05`; empty for what is not a driver's version."""
    found = _UPSTREAM.match(package_version)
    return found[1] if found else ""


def in_branch(version: str, branch: str) -> bool:
    """Is a driver version in a branch ("580"), or the exact version?"""
    return version == branch or version.startswith(f"{branch}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverState:
    """`required` are the packages to ask for, `replaced` those of the other module flavour, which conflict with them.
    `installed` is the common driver version of the required ones, empty if some are missing or differ; `loaded` the
    running module's, empty if none. `adopted` = a driver that already is as declared but did not come from our
    packages: it is left alone (design D7)."""

    distribution: Distribution
    flavour: Choice
    required: tuple[str, ...]
    replaced: tuple[str, ...]
    packages: Packages
    module: KernelModule
    installed: str
    loaded: str
    adopted: bool

    @property
    def stack(self) -> tuple[Package, ...]:
        """Every installed package of the installed driver release."""
        versions = {upstream(package.version) for name in self.required if (package := self.packages.find(name))}
        return tuple(p for p in self.packages.installed if upstream(p.version) in versions - {""} and is_there(p))


def is_there(package: Package) -> bool:
    """Installed or half-installed; not removed with its configuration left (`rc`)."""
    return package.status == "rpm" or package.status[1:2] not in ("c", "n")


def driver_state(context: Context) -> DriverState:
    """Raises Halt when it cannot be known or the host cannot have this driver."""
    spec = context.spec.driver
    system = system_of(context)
    module = known(context.snapshot.module, "which kernel module is loaded")
    if isinstance(module.loaded, Unreadable):
        raise Halt("unknown", f"cannot tell which kernel module is loaded: {because(module.loaded)}")
    loaded = module.loaded.value.version if isinstance(module.loaded, Known) else ""
    packages = known(context.snapshot.packages, "which driver packages are installed")
    distribution = distribution_of(system)
    gpus = known(context.snapshot.pci, "which GPUs there are", absent=())
    if not gpus and not loaded:
        raise Halt("unsupported", "there is no NVIDIA GPU on the PCI bus of this host")
    flavour = _flavour(context, gpus, distribution, packages)
    required = distribution.driver_packages(system, flavour)
    ours = any(_there(packages, name) for name in required)
    adopted = not ours and in_branch(loaded, spec.branch) and driver_works(context)
    if loaded and not ours and not adopted:
        raise Halt(
            "unsupported",
            f"driver {loaded} is loaded but was not installed from NVIDIA's packages ({', '.join(required)}): remove "
            f"it first (a .run installation: nvidia-uninstall), or declare driver: {{manage: false}}",
        )
    return DriverState(
        distribution=distribution,
        flavour=flavour,
        required=required,
        replaced=tuple(set(distribution.driver_packages(system, _other(flavour))) - set(required)),
        packages=packages,
        module=module,
        installed=_common_version(packages, required),
        loaded=loaded,
        adopted=adopted,
    )


def _flavour(context: Context, gpus: tuple[PciGpu, ...], distribution: Distribution, packages: Packages) -> Choice:
    """As declared; `auto` keeps a working flavour of the declared branch."""
    spec = context.spec.driver
    if spec.branch == "auto":  # nothing could be chosen
        auto_branch(gpus, spec.modules, context.spec.ollama.release, "")
    choice = choose(gpus, spec.branch, spec.modules, context.spec.ollama.release)
    other = _other(choice)
    if spec.modules != "auto":
        return choice
    present = _common_version(packages, distribution.driver_packages(system_of(context), other))
    return other if present and in_branch(present, spec.branch) and driver_works(context) else choice


def _other(flavour: Choice) -> Choice:
    return "proprietary" if flavour == "open" else "open"


def _there(packages: Packages, name: str) -> bool:
    package = packages.find(name)
    return package is not None and is_there(package)


def _common_version(packages: Packages, names: tuple[str, ...]) -> str:
    versions = set[str]()
    for name in names:
        package = packages.find(name)
        versions.add(upstream(package.version) if package and is_there(package) else "")
    return versions.pop() if len(versions) == 1 else ""


def replaces_a_working_driver(context: Context, state: DriverState) -> bool:
    """Would another driver take one away that works? Raises Halt("unknown")."""
    return bool(state.loaded) and driver_works(context)


def on_disk_version(module: KernelModule) -> str:
    """The version that `modprobe nvidia` would load now; empty if there is none or it is not known."""
    disk = value_or_none(module.on_disk)
    return disk.version if disk else ""
