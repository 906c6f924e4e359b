"""CUDA for the service: no library comes before the driver's own, and the declared toolkit is there and held."""

from __future__ import annotations

from packaging.version import InvalidVersion, Version

from ongpu.host.gpu import FoundLibrary, Libraries
from ongpu.host.reading import value_or_none
from ongpu.host.system import Packages
from ongpu.plan.choice import identify
from ongpu.plan.choice.toolkit import objection, reservation
from ongpu.plan.context import Context, Halt, Later, Resource, known
from ongpu.plan.distributions import distribution_of
from ongpu.plan.gate import system_of
from ongpu.plan.types import Change

_NO_COMPAT = (803, 804)  # CUDA: driver and library do not fit; forward compatibility is not for this GPU


def _changes(context: Context) -> list[Change]:
    _require_own_libraries(context)
    toolkit = context.spec.cuda.toolkit
    return _installed(context, toolkit) if toolkit else []


def _require_own_libraries(context: Context) -> None:
    """Raises Halt("unsupported") where the service would load a stub, or a cuda-compat that does not fit the driver.

    What could not be looked at is no reason to stop: the proof by CUDA itself says more.
    """
    libraries = value_or_none(context.snapshot.libraries)
    found = value_or_none(libraries.found) if libraries else None
    for name in ("libcuda.so", "libnvidia-ml.so"):
        first = next((one for one in found or () if f"/{name}" in one.path and one.place != "disk"), None)
        if first and libraries and (why := _wrong(context, first)):
            raise Halt("unsupported", f"{first.path} {why}: {_remedy(first, libraries)}")


def _wrong(context: Context, library: FoundLibrary) -> str:
    if library.kind == "stub":
        return "is a CUDA toolkit's stub, and ollama.service comes to it before the driver's own"
    if library.kind != "compat":
        return ""
    module = value_or_none(context.snapshot.module)
    loaded = value_or_none(module.loaded) if module else None
    init = value_or_none(context.snapshot.cuda)
    if init and init.code in _NO_COMPAT:
        return f"is cuda-compat's, and CUDA refuses it: {init.meaning}"
    if loaded and not _newer(library.version, loaded.version):
        return (
            f"is cuda-compat's {library.version or 'of unknown version'}, for older drivers than the loaded "
            f"{loaded.version}, and ollama.service comes to it first"
        )
    return ""


def _newer(one: str, other: str) -> bool:
    try:
        return Version(one) > Version(other)
    except InvalidVersion:
        return False


def _remedy(library: FoundLibrary, libraries: Libraries) -> str:
    directory = library.path.rpartition("/")[0]
    if library.place == "LD_LIBRARY_PATH":
        return f"take {directory} from LD_LIBRARY_PATH of ollama.service (`systemctl cat ollama.service`)"
    lines = value_or_none(libraries.configured) or ()
    line = next((line for line in lines if directory in line), "/etc/ld.so.conf.d")
    return f"take {directory} from the loader's directories ({line}) and run ldconfig"


def _installed(context: Context, toolkit: str) -> list[Change]:
    driver = context.spec.driver
    if not driver.manage or driver.source != "nvidia":
        raise Halt(
            "unsupported", "cuda.toolkit comes from NVIDIA's repository: it needs driver.manage and source: nvidia"
        )
    cards = [identify(gpu) for gpu in known(context.snapshot.pci, "which GPUs there are", absent=())]
    if why := objection(toolkit, driver.branch, cards):
        raise Halt("unsupported", why)
    system = system_of(context)
    packages = known(context.snapshot.packages, "which packages are installed")
    name = f"cuda-toolkit-{'-'.join(toolkit.split('.')[:2])}"
    exact = toolkit.count(".") > 1
    if exact and packages.manager not in ("apt", "dpkg"):
        raise Halt("unsupported", f"an exact cuda.toolkit ({toolkit}) is for apt: declare {toolkit.rpartition('.')[0]}")
    distribution = distribution_of(system)
    wrong = _difference(packages, name, toolkit)
    if not wrong:
        package = packages.find(name)
        if driver.hold and package and not package.held:
            return [Change(resource="cuda", summary=f"hold {name}", steps=(distribution.hold([name]),))]
        return []
    context.wait_for("repository", "driver", "switch", "module")
    if context.pending("repository", "driver", "switch", "module"):
        raise Later("can only be known once the driver is there")
    install = distribution.install_tools([f"{name}={toolkit}*" if exact else name])
    steps = (install, distribution.hold([name])) if driver.hold else (install,)
    note = reservation(toolkit, driver.branch)
    summary = f"CUDA toolkit {toolkit} ({name}): {wrong}" + (f"; {note}" if note else "")
    return [Change(resource="cuda", summary=summary, steps=steps)]


def _difference(packages: Packages, name: str, toolkit: str) -> str:
    package = packages.find(name)
    if package is None:
        return "not installed"
    if not package.is_sound:
        return f"half-installed ({package.status})"
    return (
        ""
        if f"{package.version.partition(':')[2] or package.version}.".startswith((f"{toolkit}.", f"{toolkit}-"))
        else package.version
    )


RESOURCE = Resource(name="cuda", applies=lambda spec: spec.driver.manage or spec.ollama.manage, changes=_changes)
