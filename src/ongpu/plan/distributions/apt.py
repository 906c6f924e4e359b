"""Debian, Ubuntu and what is built like them."""

from __future__ import annotations

from collections.abc import Sequence

from ongpu.host.paths import APT_KEYRING, APT_PIN, APT_SOURCE, HEADER, STATE_DIR
from ongpu.host.system import System
from ongpu.plan import shell
from ongpu.plan.choice import Choice
from ongpu.plan.distributions.base import DefaultRepository, Install, OwnFile
from ongpu.plan.render import render
from ongpu.plan.types import Run

SPOOL = f"{STATE_DIR}/spool"

# Directory under .../compute/cuda/repos/ and the fingerprint of the key that signs it. NVIDIA's installation guides;
# the key file in the directory is named by the fingerprint's last eight digits.
_SIGNED_BY = {
    ("debian", "12"): ("debian12", "EB693B3035CD5710E231E123A4B469963BF863CC"),
    ("debian", "13"): ("debian13", "02182E60104FCDC26EAE1B8597A5D4CB8793F200"),
    ("ubuntu", "22.04"): ("ubuntu2204", "EB693B3035CD5710E231E123A4B469963BF863CC"),
    ("ubuntu", "24.04"): ("ubuntu2404", "EB693B3035CD5710E231E123A4B469963BF863CC"),
}
_SITE = "https://developer.download.nvidia.com/compute/cuda/repos"
_ARCH = {"x86_64": "x86_64", "aarch64": "sbsa"}

_PACKAGE_OF = {
    "curl": "curl",
    "zstd": "zstd",
    "tar": "tar",
    "gzip": "gzip",
    "gpg": "gpg",
    "sha256sum": "coreutils",
    "awk": "mawk",
    "update-ca-certificates": "ca-certificates",
}
# A package of the driver may depend on any version of the others (NVIDIA's cuda-drivers-580 pulled in 590): so all.
_PINNED = (
    "*nvidia*",
    "libcuda1*",
    "libcudadebugger*",
    "libnvcuvid*",
    "libnvoptix*",
    "libnvsdm*",
    "libxnvctrl*",
    "cuda-drivers*",
)
# Wanted beside the driver where the repository has them: device nodes and a driver that stays initialised.
_EXTRAS = ("nvidia-persistenced", "nvidia-modprobe")


class Apt:
    keyring = APT_KEYRING
    source_path = APT_SOURCE
    pin_path = APT_PIN

    def default_repository(self, system: System) -> DefaultRepository | None:
        directory, fingerprint = _SIGNED_BY.get((system.os_id, system.os_version), ("", ""))
        if not directory or system.arch not in _ARCH:
            return None
        return DefaultRepository(url=f"{_SITE}/{directory}/{_ARCH[system.arch]}/", fingerprint=fingerprint)

    def source(self, url: str) -> OwnFile:
        return OwnFile(path=APT_SOURCE, content=render("nvidia.sources.j2", url=url, keyring=APT_KEYRING))

    def pin(self, branch: str) -> OwnFile:
        content = render("nvidia.pref.j2", branch=branch, packages=_PINNED, pattern=pattern(branch))
        return OwnFile(path=APT_PIN, content=content)

    def driver_packages(self, system: System, flavour: Choice) -> tuple[str, ...]:
        # Compute only, no display: NVIDIA driver installation guide, Debian. Ubuntu's packages of the parts carry
        # the branch in their names before 590; the whole-stack packages do not.
        if system.os_id == "ubuntu":
            return ("nvidia-open",) if flavour == "open" else ("cuda-drivers",)
        return ("nvidia-driver-cuda", "nvidia-kernel-open-dkms" if flavour == "open" else "nvidia-kernel-dkms")

    def tools(self, names: Sequence[str]) -> tuple[str, ...]:
        packages = [_PACKAGE_OF.get(name, name) for name in names]
        if "curl" in names:
            packages.append("ca-certificates")
        return tuple(sorted(set(packages)))

    def install_tools(self, packages: Sequence[str]) -> Run:
        return shell.run(f"install {', '.join(packages)}", "apt", "prerequisites", PACKAGES=" ".join(packages))

    def fetch_key(self, url: str, fingerprint: str) -> Run:
        short = fingerprint[-8:]
        return shell.run(
            f"fetch the signing key {fingerprint}",
            "fetch",
            "apt-key",
            URL=url,
            FINGERPRINT=fingerprint,
            NAMES=f"{short.lower()}.pub {short.upper()}.pub",
            KEYRING=APT_KEYRING,
            HEADER=HEADER,
            SPOOL=SPOOL,
        )

    def refresh(self, url: str, package: str, branch: str, *, own: bool) -> Run:
        return shell.run(
            f"read the package lists of {url}",
            "apt",
            "apt-update",
            SOURCE=self.source(url).content if own else "",
            URL=url,
            PACKAGE=package,
            PATTERN=pattern(branch),
            SPOOL=SPOOL,
        )

    def check_source(self, url: str, package: str) -> Run:
        return shell.run(f"add {url} to apt's sources", "apt-sees", FILE=APT_SOURCE, URL=url, PACKAGE=package)

    def install(self, what: Install) -> Run:
        return shell.run(
            f"install the driver {what.version} ({_few(list(what.exact))})",
            "apt",
            "hold",
            "driver",
            seconds=3600,
            INSTALL=" ".join([_equal(what.exact), *(f"{name}-" for name in what.remove)]),
            SHORT=_few(list(what.exact)),
            VERSION=what.version,
            EXTRAS=" ".join(name for name in _EXTRAS if name not in what.exact),
            OLD=_equal(what.old),
            BROKEN=" ".join(what.broken),
            HOLD="yes" if what.hold else "",
        )

    def hold(self, names: Sequence[str]) -> Run:
        return Run(command=f"apt-mark hold {' '.join(names)} >/dev/null", what=f"hold {', '.join(names)}", seconds=120)


APT = Apt()


def pattern(branch: str) -> str:
    """`580` -> `580.*`; an exact driver version -> that version with any packaging revision."""
    return f"{branch}*" if "." in branch else f"{branch}.*"


def _few(names: Sequence[str]) -> str:
    """The last ones are what was asked for; the others come along."""
    return ", ".join(names[-2:]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _equal(versions: dict[str, str]) -> str:
    return " ".join(f"{name}={version}" for name, version in versions.items())
