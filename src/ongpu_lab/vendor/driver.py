"""The packages of one driver release, by the names and relations of NVIDIA's repository for Debian.

Every part depends on exactly its own release of the others, so that a release is installed, upgraded and downgraded as
one set. Left out: display, video and development parts, which no compute host needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ongpu_lab.vendor import modules
from ongpu_lab.vendor.deb import Package
from ongpu_lab.vendor.modules import Flavour

REVISION = "1"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
# Package -> library, for those that only have to be there
PLACEHOLDERS = {
    "libnvidia-ptxjitcompiler1": "libnvidia-ptxjitcompiler.so.1",
    "libnvidia-nvvm4": "libnvidia-nvvm.so.4",
    "libcudadebugger1": "libcudadebugger.so.1",
    "libnvidia-cfg1": "libnvidia-cfg.so.1",
    "libnvcuvid1": "libnvcuvid.so.1",
    "libnvidia-encode1": "libnvidia-encode.so.1",
    "libnvidia-opticalflow1": "libnvidia-opticalflow.so.1",
}
_VIDEO = ("libnvcuvid1", "libnvidia-encode1", "libnvidia-opticalflow1")
_BRANCH_IN_NAMES_UNTIL = 580  # from 590 on the names carry no branch
_DEBIAN = Path(__file__).parent / "debian"


@dataclass(frozen=True, slots=True)
class Built:
    """Compiled files: libraries by soname, programs by name, and kernel modules by flavour and name."""

    libraries: Mapping[str, Path]
    programs: Mapping[str, Path]
    modules: Mapping[tuple[Flavour, str], Path]
    licence: Path | None = None

    def with_nvidia_smi(self, program: Path) -> Built:
        """The same with NVIDIA's own nvidia-smi; its licence lies beside it."""
        programs = {**self.programs, "nvidia-smi": program}
        return replace(self, programs=programs, licence=program.with_name("LICENCE"))


def packages(driver: str, built: Built) -> list[Package]:
    """All packages of driver release `driver` (`580.95.05`)."""
    return [
        *_libraries(driver, built),
        _tools(driver, built),
        _support(driver),
        _firmware(driver),
        _modprobe(driver, built),
        _persistenced(driver, built),
        _fabric_manager(driver),
        *(_dkms(driver, flavour, built) for flavour in ("open", "proprietary")),
        *_whole(driver),
        _pinning(driver),
    ]


def script(name: str, **values: str) -> str:
    """A maintainer script or file from `debian/`; `@KEY@` becomes the value."""
    text = (_DEBIAN / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def guard(package: str) -> dict[str, str]:
    """The preinst that refuses to install anywhere but on a lab host."""
    return {"preinst": script("preinst-guard.sh", PACKAGE=package)}


def _version(driver: str) -> str:
    return f"{driver}-{REVISION}"


def _same(driver: str, *names: str) -> str:
    return ", ".join(f"{name} (= {_version(driver)})" for name in names)


def _package(name: str, driver: str, description: str, **values: Any) -> Package:
    """A guarded package of this release; `values` are further fields of Package."""
    scripts = guard(name) | values.pop("scripts", {})
    return Package(name=name, version=_version(driver), description=description, scripts=scripts, **values)


def _library(name: str, soname: str, driver: str, built: Path, depends: str) -> Package:
    real = f"{soname.split('.so.')[0]}.so.{driver}"
    return _package(
        name,
        driver,
        f"NVIDIA driver library {soname}",
        relations={"Multi-Arch": "same", "Depends": depends},
        files={f"{LIBRARIES}/{real}": built},
        links={f"{LIBRARIES}/{soname}": real},
        triggers="activate-noawait ldconfig",
    )


def _libraries(driver: str, built: Built) -> list[Package]:
    libc = "libc6 (>= 2.34)"
    cuda = f"{libc}, {_same(driver, 'libnvidia-ptxjitcompiler1')}"
    return [
        _library("libnvidia-ml1", "libnvidia-ml.so.1", driver, built.libraries["libnvidia-ml.so.1"], libc),
        _library("libcuda1", "libcuda.so.1", driver, built.libraries["libcuda.so.1"], cuda),
        *(_library(name, soname, driver, built.libraries[soname], libc) for name, soname in PLACEHOLDERS.items()),
    ]


def _tools(driver: str, built: Built) -> Package:
    licence = {"/usr/share/doc/nvidia-driver-cuda/copyright": built.licence} if built.licence else {}
    needs = _same(driver, "libcuda1", "libnvidia-ml1", "libnvidia-nvvm4", "libcudadebugger1", "libnvidia-cfg1")
    return _package(
        "nvidia-driver-cuda",
        driver,
        "NVIDIA driver, compute part: nvidia-smi and the CUDA libraries",
        relations={
            "Depends": f"libc6 (>= 2.34), {needs}",
            "Recommends": ", ".join(("nvidia-persistenced", "nvidia-modprobe", *_VIDEO)),
        },
        files={"/usr/bin/nvidia-smi": built.programs["nvidia-smi"], **licence},
    )


def _support(driver: str) -> Package:
    return _package(
        "nvidia-kernel-support",
        driver,
        "NVIDIA driver, files for the kernel modules",
        files={
            "/usr/lib/modprobe.d/nvidia.conf": script("nvidia-modprobe.conf"),
            "/usr/lib/udev/rules.d/60-nvidia.rules": script("60-nvidia.rules"),
        },
    )


def _firmware(driver: str) -> Package:
    files = {f"/lib/firmware/nvidia/{driver}/{name}": f"lab {name}\n" for name in ("gsp_tu10x.bin", "gsp_ga10x.bin")}
    return _package("firmware-nvidia-gsp", driver, "NVIDIA driver, GSP firmware", files=files)


def _modprobe(driver: str, built: Built) -> Package:
    return _package(
        "nvidia-modprobe",
        driver,
        "NVIDIA driver, loads modules and makes device nodes",
        relations={"Depends": "libc6 (>= 2.34)"},
        files={"/usr/bin/nvidia-modprobe": built.programs["nvidia-modprobe"]},
        modes={"/usr/bin/nvidia-modprobe": 0o4755},
    )


def _persistenced(driver: str, built: Built) -> Package:
    return _package(
        "nvidia-persistenced",
        driver,
        "NVIDIA driver, keeps GPUs initialised",
        relations={"Depends": f"libc6 (>= 2.34), {_same(driver, 'libnvidia-cfg1')}, passwd"},
        files={
            "/usr/bin/nvidia-persistenced": built.programs["nvidia-persistenced"],
            "/usr/lib/systemd/system/nvidia-persistenced.service": script("nvidia-persistenced.service"),
        },
        scripts={"postinst": script("persistenced-postinst.sh"), "prerm": script("persistenced-prerm.sh")},
    )


def _fabric_manager(driver: str) -> Package:
    """For NVSwitch machines; nothing depends on it, and it fits exactly one driver release."""
    return _package(
        "nvidia-fabricmanager",
        driver,
        "NVIDIA fabric manager for NVSwitch machines",
        files={
            "/usr/bin/nv-fabricmanager": script("nv-fabricmanager.sh", VERSION=driver),
            "/usr/lib/systemd/system/nvidia-fabricmanager.service": script("nvidia-fabricmanager.service"),
        },
        modes={"/usr/bin/nv-fabricmanager": 0o755},
    )


def _dkms(driver: str, flavour: Flavour, built: Built) -> Package:
    name, other = "nvidia-kernel-open-dkms", "nvidia-kernel-dkms"
    if flavour == "proprietary":
        name, other = other, name
    source = f"/usr/src/nvidia-{driver}"
    configuration = f'PACKAGE_NAME="nvidia"\nPACKAGE_VERSION="{driver}"\nAUTOINSTALL="yes"\n' + "".join(
        f'BUILT_MODULE_NAME[{number}]="{module}"\nDEST_MODULE_LOCATION[{number}]="/updates/dkms"\n'
        for number, module in enumerate(modules.MODULES)
    )
    prebuilt: dict[str, str | Path] = {
        f"{source}/prebuilt/{module}.ko": built.modules[flavour, module] for module in modules.MODULES
    }
    return _package(
        name,
        driver,
        f"NVIDIA driver, {flavour} kernel modules",
        relations={
            "Depends": f"dkms, {_same(driver, 'nvidia-kernel-support', 'firmware-nvidia-gsp')}, nvidia-modprobe",
            "Provides": f"nvidia-kernel-{driver}",
            "Conflicts": other,
            "Replaces": other,
        },
        files={f"{source}/dkms.conf": configuration, **prebuilt},
        scripts={
            "postinst": script("kernel-postinst.sh", VERSION=driver),
            "prerm": script("kernel-prerm.sh", VERSION=driver),
        },
    )


def _whole(driver: str) -> list[Package]:
    """The names that ask for all of it."""
    parts = _same(driver, "nvidia-driver-cuda", *_VIDEO)
    found = [
        ("nvidia-driver", f"{parts}, nvidia-persistenced, nvidia-modprobe"),
        ("nvidia-open", _same(driver, "nvidia-driver", "nvidia-kernel-open-dkms")),
        ("cuda-drivers", _same(driver, "nvidia-driver", "nvidia-kernel-dkms")),
    ]
    branch = driver.split(".")[0]
    if int(branch) <= _BRANCH_IN_NAMES_UNTIL:
        # As NVIDIA's: open at the top, so that they follow the newest release.
        found += [(f"{name}-{branch}", f"{name} (>= {_version(driver)})") for name in ("nvidia-open", "cuda-drivers")]
    return [_package(name, driver, "NVIDIA driver, whole", relations={"Depends": depends}) for name, depends in found]


def _pinning(driver: str) -> Package:
    branch = driver.split(".")[0]
    name = f"nvidia-driver-pinning-{branch}"
    pin = f"Package: *nvidia* libcuda1* cuda-drivers*\nPin: version {branch}.*\nPin-Priority: 1000\n"
    path = f"/etc/apt/preferences.d/{name}"
    return _package(
        name,
        driver,
        f"keeps the driver in branch {branch}",
        files={path: pin},
        conffiles=(path,),
        relations={"Conflicts": "nvidia-driver-pinning", "Provides": "nvidia-driver-pinning"},
    )
