"""The signed repository through the real apt, in a scratch root."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from ongpu.plan import openpgp
from ongpu_lab.vendor import driver, modules, support
from ongpu_lab.vendor.deb import Package, build, stanza
from ongpu_lab.vendor.repository import publish_key, write_index
from ongpu_lab.vendor.signing import SigningKey

DRIVERS = ("580.95.05", "590.44.01")
KERNEL = "6.1.0-56-amd64"
TOOLS = ("apt-get", "dpkg-deb", "gpg")
PARTS = ("libcuda1", "libnvidia-ml1", "nvidia-driver-cuda", "nvidia-kernel-open-dkms", "firmware-nvidia-gsp")


@dataclass
class Apt:
    """apt with a root of its own; it sees only this repository and installs nothing."""

    root: Path
    repository: Path
    fingerprint: str

    def run(self, *words: str) -> tuple[int, str]:
        options = [
            f"Dir={self.root}",
            f"Dir::State::status={self.root}/status",
            f"Dir::Etc::SourceParts={self.root}/sources.d",
            "Dir::Etc::SourceList=/dev/null",
            "APT::Architecture=amd64",
            "APT::Sandbox::User=",
            "Debug::NoLocking=1",
            "APT::Update::Error-Mode=any",
        ]
        command = [words[0], *(part for option in options for part in ("-o", option)), *words[1:]]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(self.root)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def solve(self, *packages: str) -> tuple[int, dict[str, str]]:
        """Package -> version that apt would install."""
        code, text = self.run("apt-get", "install", "--simulate", "--no-install-recommends", *packages)
        words = [line.split() for line in text.splitlines() if line.startswith("Inst ")]
        return code, {word[1]: next(part for part in word if part.startswith("("))[1:] for word in words}


def empty() -> driver.Built:
    """Packages without compiled files: apt looks at their relations only."""
    nothing = Path("/dev/null")
    names = ("libnvidia-ml.so.1", "libcuda.so.1", *driver.PLACEHOLDERS.values())
    programs = ("nvidia-smi", "nvidia-modprobe", "nvidia-persistenced")
    flavours: tuple[modules.Flavour, ...] = ("open", "proprietary")
    return driver.Built(
        libraries=dict.fromkeys(names, nothing),
        programs=dict.fromkeys(programs, nothing),
        modules={(flavour, name): nothing for flavour in flavours for name in modules.MODULES},
    )


def wanted() -> list[Package]:
    own = [support.dkms(), *support.headers(KERNEL)]
    libc = Package(name="libc6", version="2.36-9", description="C library")
    others = [Package(name=name, version="1", description=name) for name in ("kmod", "passwd")]
    return [
        libc,
        *others,
        *own,
        *(package for number in DRIVERS for package in driver.packages(number, empty())),
    ]


@pytest.fixture(scope="module")
def apt(tmp_path_factory: pytest.TempPathFactory) -> Apt:
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        pytest.skip(f"needs {', '.join(missing)}")
    root = tmp_path_factory.mktemp("apt")
    repository = root / "www"
    repository.mkdir()
    with SigningKey() as key:
        write_index(repository, [stanza(build(package, repository, root), package) for package in wanted()], key)
        publish_key(repository, key, ["3bf863cc.pub"])
        fingerprint = key.fingerprint
    for name in ("sources.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (root / name).mkdir(parents=True)
    (root / "status").write_text("")
    shutil.copy(repository / "3bf863cc.pub", root / "key.asc")
    (root / "sources.d/lab.sources").write_text(
        f"Types: deb\nURIs: file:{repository}\nSuites: /\nSigned-By: {root}/key.asc\n"
    )
    found = Apt(root, repository, fingerprint)
    code, text = found.run("apt-get", "update")
    assert code == 0, text
    return found


def test_the_key_is_what_the_plan_expects(apt: Apt) -> None:
    text = (apt.repository / "3bf863cc.pub").read_text()
    assert openpgp.fingerprints(text) == (apt.fingerprint,)
    assert (apt.repository / f"{apt.fingerprint[-8:].lower()}.pub").read_text() == text


def test_the_newest_release_is_offered_as_a_whole(apt: Apt) -> None:
    code, found = apt.solve("nvidia-driver-cuda", "nvidia-kernel-open-dkms")
    assert code == 0
    assert {found[name] for name in PARTS} == {"590.44.01-1"}
    assert "dkms" in found


def test_an_older_release_needs_a_pin_as_with_the_real_one(apt: Apt) -> None:
    exact = ("nvidia-driver-cuda=580.95.05-1", "nvidia-kernel-open-dkms=580.95.05-1")
    assert apt.solve(*exact)[0] == 100
    pin = apt.root / "etc/apt/preferences.d/pin.pref"
    pin.write_text("Package: *nvidia* libcuda1* libcudadebugger*\nPin: version 580.*\nPin-Priority: 999\n")
    try:
        code, found = apt.solve(*exact)
    finally:
        pin.unlink()
    assert code == 0
    assert {found[name] for name in PARTS} == {"580.95.05-1"}


def test_a_branch_in_the_name_does_not_hold_the_branch(apt: Apt) -> None:
    code, found = apt.solve("cuda-drivers-580")
    assert code == 0
    assert found["cuda-drivers"] == "590.44.01-1"
    assert "nvidia-kernel-dkms" in found


def test_the_two_flavours_exclude_each_other(apt: Apt) -> None:
    assert apt.solve("nvidia-kernel-dkms", "nvidia-kernel-open-dkms")[0] == 100


def test_headers_of_the_running_kernel(apt: Apt) -> None:
    assert set(apt.solve("linux-headers-amd64")[1]) == {"linux-headers-amd64", f"linux-headers-{KERNEL}"}


def test_an_altered_index_is_refused(apt: Apt, tmp_path: Path) -> None:
    release = apt.repository / "InRelease"
    good = release.read_text()
    release.write_text(good.replace("Origin: NVIDIA", "Origin: nobody"))
    try:
        code, text = apt.run("apt-get", "update")
    finally:
        release.write_text(good)
    assert code == 100
    assert "signature" in text.lower() or "BADSIG" in text


def test_packages_refuse_to_install_outside_of_the_lab(apt: Apt, tmp_path: Path) -> None:
    assert not Path("/etc/ongpu-lab/host.ini").exists(), "this test cannot tell anything on a lab host"
    debs = sorted(
        path for path in apt.repository.glob("*.deb") if not path.name.startswith(("libc6_", "kmod_", "passwd_"))
    )
    assert len(debs) > 40
    seen = set()
    for deb in debs:
        subprocess.run(["dpkg-deb", "--control", str(deb), str(tmp_path / deb.name)], check=True)
        preinst = tmp_path / deb.name / "preinst"
        name = deb.name.partition("_")[0]
        text = preinst.read_text()
        if text.replace(name, "NAME") not in seen:
            done = subprocess.run([str(preinst), "install"], capture_output=True, text=True, check=False)
            assert done.returncode == 1
            assert "installs on lab hosts only" in done.stderr
            assert done.stderr.startswith(f"{name}: ")
        seen.add(text.replace(name, "NAME"))
    assert len(seen) <= 2


def test_the_same_content_makes_the_same_package(tmp_path: Path) -> None:
    digests = []
    for number in range(2):
        place = tmp_path / str(number)
        place.mkdir()
        digests.append(build(support.dkms(), place, tmp_path).read_bytes())
    assert digests[0] == digests[1]
