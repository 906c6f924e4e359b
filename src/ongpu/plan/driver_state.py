"""The driver on a host as its packages and its loaded module tell it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ongpu.host.gpu import KernelModule, PciGpu
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.host.system import Package, Packages
from ongpu.plan.choice import Choice, auto_branch, choose
from ongpu.plan.context import Context, Halt, because, known
from ongpu.plan.distributions import Distribution, PackageSet, Wanted, distribution_of, offered
from ongpu.plan.gate import system_of
from ongpu.plan.policy import driver_works

# nvidia-driver-cuda 580.95.05-1   libnvidia-compute-580 580.95.05-0ubuntu1   (epoch possible)
_UPSTREAM = re.compile(r"^(?:\d+:)?(\d{3}(?:\.\d+)+)(?:[-+~_].*)?$")

_BRANCH = re.compile(r"(?<=-)\d{3}(?=-|$)|(?<=-G)\d{2}(?=-|$)")


def upstream(package_version: str) -> str:
    """`580.95.05-1` -> `580.95.05`; empty for what is not a driver's version."""
    found = _UPSTREAM.match(package_version)
    return found[1] if found else ""


def in_branch(version: str, branch: str) -> bool:
    """Is a driver version in a branch ("580"), or the exact version?"""
    return version == branch or version.startswith(f"{branch}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverState:
    """`required` are the packages to ask for, `also` those beside them that have versions of their own, `replaced`
    those of the other module flavour or of an older generation, which conflict with them.
    `installed` is the common driver version of the required ones, empty if some are missing or differ; `loaded` the
    running module's, empty if none. `adopted` = a driver that already is as declared but did not come from our
    packages: it is left alone (design D7)."""

    distribution: Distribution
    wanted: Wanted
    required: tuple[str, ...]
    companions: tuple[str, ...]
    also: tuple[str, ...]
    replaced: tuple[str, ...]
    packages: Packages
    module: KernelModule
    installed: str
    loaded: str
    adopted: bool
    uninstaller: str = ""  # of a driver by NVIDIA's .run installer, which goes before packages come

    @property
    def flavour(self) -> Choice:
        return self.wanted.flavour

    def has(self, name: str) -> bool:
        return _there(self.packages, name)

    @property
    def stack(self) -> tuple[Package, ...]:
        """Every installed package of the installed driver release, and those that belong to it."""
        kin = {_kin(name) for name in (*self.required, *self.replaced)}
        versions = {upstream(p.version) for p in self.packages.installed if _kin(p.name) in kin and is_there(p)} - {""}
        return tuple(
            package
            for package in self.packages.installed
            if is_there(package)
            and (
                upstream(package.version) in versions
                or package.name in self.also
                or (self.also and package.name.startswith("linux-modules-nvidia-"))
            )
        )


def branch_in(name: str) -> str:
    """`nvidia-utils-580-server` -> `580`; empty for a name that carries no branch."""
    found = _BRANCH.search(name)
    return found[0] if found else ""


def _kin(name: str) -> str:
    """A package's name without a branch in it: `nvidia-utils-580-server` and `nvidia-utils-595-server` are kin."""
    return _BRANCH.sub("", name)


def is_there(package: Package) -> bool:
    """Installed or half-installed; not removed with its configuration left (`rc`)."""
    return package.status == "rpm" or package.status[1:2] not in ("c", "n")


def driver_state(context: Context) -> DriverState:
    """Raises Halt when it cannot be known or the host cannot have this driver."""
    return context.once(_driver_state)


def _driver_state(context: Context) -> DriverState:
    spec = context.spec.driver
    system = system_of(context)
    _ours_to_install(context)
    module = known(context.snapshot.module, "which kernel module is loaded")
    if isinstance(module.loaded, Unreadable):
        raise Halt("unknown", f"cannot tell which kernel module is loaded: {because(module.loaded)}")
    loaded = module.loaded.value.version if isinstance(module.loaded, Known) else ""
    packages = known(context.snapshot.packages, "which driver packages are installed")
    distribution = distribution_of(system)
    gpus = known(context.snapshot.pci, "which GPUs there are", absent=())
    if not gpus and not loaded:
        raise Halt("unsupported", "there is no NVIDIA GPU on the PCI bus of this host")
    wanted = _wanted(context, gpus, distribution, packages)
    chosen = distribution.driver_packages(wanted)
    required = chosen.required
    other = _of_the_other(distribution, wanted)
    kin = {_kin(name) for name in (*required, *other.required)}
    ours = any(is_there(package) for package in packages.installed if _kin(package.name) in kin)
    adopted = not ours and in_branch(loaded, spec.branch) and driver_works(context)
    runfile = _runfile(context)
    superseded = (*other.required, *other.also, *chosen.obsolete)
    if loaded and not ours and not adopted and not spec.replace:
        whose = "NVIDIA's" if spec.source == "nvidia" else "the distribution's"
        raise Halt(
            "unsupported",
            f"driver {loaded} is loaded but was not installed from {whose} packages ({', '.join(required)}): declare "
            f"driver: {{replace: true}} to have it replaced, remove it yourself"
            f"{f' (`{runfile} --silent`)' if runfile else ''}, or declare driver: {{manage: false}}",
        )
    if runfile and ours:
        raise Halt(
            "unsupported",
            f"two drivers are mixed here: packages, and one by NVIDIA's .run installer, whose files lie over theirs: "
            f"run `{runfile} --silent`, then install the driver's packages again (apt-get install --reinstall)",
        )
    if runfile and not adopted and packages.manager != "apt":
        raise Halt("unsupported", f"a driver by NVIDIA's .run installer is here: run `{runfile} --silent` first")
    return DriverState(
        distribution=distribution,
        wanted=wanted,
        required=required,
        companions=chosen.companions,
        also=chosen.also,
        replaced=tuple(name for name in superseded if name not in (*required, *chosen.also)),
        packages=packages,
        module=module,
        installed=_common_version(packages, required),
        loaded=loaded,
        adopted=adopted,
        uninstaller="" if adopted else runfile,
    )


def needs_fabric_manager(context: Context) -> bool:
    """Raises Halt("unknown") where it could not be looked at."""
    fabric = value_or_none(context.snapshot.fabric)
    if fabric is None:
        return False
    match fabric.needs_manager:
        case Known(value=needed):
            return needed
        case Absent():
            return False
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot tell whether this host needs fabric manager: {because(blind)}")


def _ours_to_install(context: Context) -> None:
    """Raises Halt where the driver belongs to somebody else: Jetson, WSL, a vGPU guest, an image-based system."""
    platform = value_or_none(context.snapshot.platform)
    if platform is None:
        return
    if why := platform.left_alone:
        raise Halt("unsupported", f"{why}; ongpu leaves it alone: declare driver: {{manage: false}}")
    if unknown := platform.unknown:
        raise Halt("unknown", f"cannot tell whether the driver of this host is ongpu's to install: {because(unknown)}")


def _runfile(context: Context) -> str:
    """The uninstaller of a driver by NVIDIA's .run installer; empty where there is none."""
    installers = known(context.snapshot.installers, "who else installs a driver here")
    match installers.runfile:
        case Known(value=runfile):
            return runfile.uninstaller
        case Absent():
            return ""
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot tell whether a driver came by NVIDIA's .run installer: {because(blind)}")


def _wanted(context: Context, gpus: tuple[PciGpu, ...], distribution: Distribution, packages: Packages) -> Wanted:
    """As declared; `modules: auto` keeps a working flavour of the declared branch."""
    spec = context.spec.driver
    if spec.branch == "auto":  # nothing could be chosen
        auto_branch(gpus, spec.modules, context.spec.ollama.release, "", offered(system_of(context), spec.source))
    wanted = Wanted(
        system=system_of(context),
        packages=packages,
        source=spec.source,
        branch=spec.branch,
        flavour=choose(gpus, spec.branch, spec.modules, context.spec.ollama.release),
        fabric=needs_fabric_manager(context),
    )
    if spec.modules != "auto":
        return wanted
    present = _common_version(packages, _of_the_other(distribution, wanted).required)
    keeps = present and in_branch(present, spec.branch) and driver_works(context)
    return replace(wanted, flavour=_other(wanted.flavour)) if keeps else wanted


def _of_the_other(distribution: Distribution, wanted: Wanted) -> PackageSet:
    """The packages that the other flavour has, where there are any."""
    try:
        return distribution.driver_packages(replace(wanted, flavour=_other(wanted.flavour)))
    except Halt:
        return PackageSet(required=())


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
