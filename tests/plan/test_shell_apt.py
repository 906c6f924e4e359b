"""The NVIDIA repository with the real apt and the real gpg, in a root directory of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ongpu.host.paths import HEADER
from ongpu.plan import openpgp, shell
from ongpu.plan.types import Run
from tests.plan.bench import Bench, Said, Site

TOOLS = ("apt-get", "apt-ftparchive", "gpg", "dpkg-deb")
pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}: apt-get install apt-utils gpg"
)


@dataclass(frozen=True)
class Repository:
    """Files of a signed flat repository as NVIDIA's, and the key that signs it."""

    files: dict[str, bytes]
    key: str
    fingerprint: str
    home: Path

    def signed(self, release: bytes) -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--clearsign", "-o", "-"]
        return subprocess.run(command, input=release, capture_output=True, check=True).stdout


def _make(place: Path, versions: tuple[str, ...]) -> Repository:
    home = place / "home"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch"]
    subprocess.run([*gpg, "--passphrase", "", "--quick-gen-key", "test", "ed25519"], capture_output=True, check=True)
    key = subprocess.run([*gpg, "--armor", "--export"], capture_output=True, text=True, check=True).stdout
    tree = place / "tree"
    for version in versions:
        control = place / version / "DEBIAN"
        control.mkdir(parents=True)
        fields = f"Package: nvidia-driver-cuda\nVersion: {version}\nArchitecture: all\nMaintainer: x\nDescription: x\n"
        (control / "control").write_text(fields)
        tree.mkdir(exist_ok=True)
        subprocess.run(["dpkg-deb", "-b", str(place / version), str(tree)], capture_output=True, check=True)
    packages = subprocess.run(["apt-ftparchive", "packages", "."], cwd=tree, capture_output=True, check=True).stdout
    (tree / "Packages").write_bytes(packages)
    release = subprocess.run(["apt-ftparchive", "release", "."], cwd=tree, capture_output=True, check=True).stdout
    made = Repository({}, key, openpgp.fingerprints(key)[0], home)
    made.files.update({"Packages": packages, "Release": release, "InRelease": made.signed(release)})
    return made


@pytest.fixture(scope="module", autouse=True)
def no_agent_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """gpg starts an agent for each home, which stays."""
    yield
    for home in [*tmp_path_factory.getbasetemp().rglob("home")]:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], capture_output=True, check=False)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return _make(tmp_path_factory.mktemp("repository"), ("580.95.05-1", "590.44.01-1"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """One shell is enough here: apt is what is looked at. apt works in its own directories."""
    made = Bench(tmp_path, "sh")
    for directory in ("state/lists/partial", "cache/archives/partial", "etc/sources.list.d", "etc/preferences.d"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "status").write_text("")
    (tmp_path / "apt.conf").write_text(
        f'Dir::State "{tmp_path}/state"; Dir::State::status "{tmp_path}/status"; Dir::Cache "{tmp_path}/cache";\n'
        f'Dir::Etc "{tmp_path}/etc"; Dir::Etc::sourcelist "{tmp_path}/etc/none"; APT::Sandbox::User "root";\n'
        f'Acquire::Retries "0"; Acquire::Languages "none"; APT::Architecture "amd64"; Dir::Log "{tmp_path}";\n'
    )
    made.environment = {"APT_CONFIG": str(tmp_path / "apt.conf"), "LOCK_PAUSE": "0.05"}
    return made


def at(site: Site, repository: Repository) -> str:
    site.files.update({f"/repo/{name}": content for name, content in repository.files.items()})
    return f"{site.url}/repo/"


def source(url: str, keyring: Path) -> str:
    return f"Types: deb\nURIs: {url}\nSuites: /\nSigned-By: {keyring}\n"


def update(bench: Bench, url: str, key: str, pattern: str = "580.*", package: str = "nvidia-driver-cuda") -> Said:
    keyring = bench.place / "key.asc"
    keyring.write_text(key)
    step = shell.run(
        f"read the package lists of {url}",
        "apt",
        "apt-update",
        SOURCE=source(url, keyring),
        URL=url,
        PACKAGE=package,
        PATTERN=pattern,
        SPOOL=f"{bench.place}/spool",
    )
    said = bench.run(step)
    assert not list((bench.place / "spool").glob("*.sources"))
    assert not list((bench.place / "etc/sources.list.d").iterdir()), "the host's own configuration is left alone"
    return said


def test_a_good_repository_is_accepted(bench: Bench, site: Site, repository: Repository) -> None:
    assert update(bench, at(site, repository), repository.key).code == 0
    assert update(bench, at(site, repository), repository.key, pattern="580.95.05*").code == 0


def test_a_branch_that_is_not_offered_names_what_is(bench: Bench, site: Site, repository: Repository) -> None:
    url = at(site, repository)
    said = update(bench, url, repository.key, pattern="600.*")
    assert said.code == 1
    assert said.reason.startswith(f"the package repository {url} has no nvidia-driver-cuda 600.*; it offers ")
    assert "580.95.05-1" in said.reason
    said = update(bench, url, repository.key, package="nvidia-open")
    assert said.reason == f"the package repository {url} has no package nvidia-open"


def test_an_unreachable_repository_is_an_error_though_apt_calls_it_a_warning(
    bench: Bench, repository: Repository
) -> None:
    said = update(bench, "http://127.0.0.1:9/repo/", repository.key)
    assert said.code == 1
    assert said.reason.startswith("the package repository http://127.0.0.1:9/repo/ cannot be used: ")
    assert "onnect" in said.reason


def test_a_changed_InRelease_is_refused(bench: Bench, site: Site, repository: Repository) -> None:
    url = at(site, repository)
    changed = repository.files["InRelease"].replace(b"MD5Sum", b"MD5sum")
    site.files["/repo/InRelease"] = changed
    said = update(bench, url, repository.key)
    assert said.code == 1
    assert "BADSIG" in said.reason or "signature" in said.reason.lower(), said.output


def test_an_unsigned_repository_is_refused(bench: Bench, site: Site, repository: Repository) -> None:
    url = at(site, repository)
    del site.files["/repo/InRelease"]
    said = update(bench, url, repository.key)
    assert said.code == 1
    assert "is not signed" in said.reason, said.output


def test_a_repository_that_another_key_signed_is_refused(
    bench: Bench, site: Site, repository: Repository, tmp_path: Path
) -> None:
    other = _make(tmp_path / "other" if (tmp_path / "other").mkdir() is None else tmp_path, ("580.95.05-1",))
    said = update(bench, at(site, repository), other.key)
    assert said.code == 1
    assert "NO_PUBKEY" in said.reason or "Missing key" in said.reason, said.output


@pytest.mark.parametrize("why", ["Message has been manipulated", "Missing key DFB67824A4B4, which is needed to verify"])
def test_what_apt_3_says_of_a_signature_is_said(bench: Bench, site: Site, repository: Repository, why: str) -> None:
    """apt 3 verifies with sqv, and gives the reason in a warning only (seen on Debian forky); its error alone would
    send the operator to look for a signature that is there."""
    url = at(site, repository)
    warning = f"W: Signature verification failed: {url}  InRelease: Sub-process /usr/bin/sqv returned an error: {why}"
    bench.fake(
        "apt-get", f"printf '%s\\n' \"{warning}\" \"E: The repository '{url}  InRelease' is not signed.\"; exit 100"
    )
    said = update(bench, url, repository.key)
    assert said.code == 1
    assert why in said.reason, said.output


def test_changed_package_lists_are_refused(bench: Bench, site: Site, repository: Repository) -> None:
    url = at(site, repository)
    site.files["/repo/Packages"] = repository.files["Packages"].replace(b"580", b"581")
    said = update(bench, url, repository.key)
    assert said.code == 1
    assert "Hash Sum mismatch" in said.reason, said.output


def fetch_key(bench: Bench, url: str, fingerprint: str) -> Run:
    return shell.run(
        f"fetch the signing key {fingerprint}",
        "fetch",
        "signing-key",
        URL=url,
        FINGERPRINT=fingerprint,
        NAMES=f"{fingerprint[-8:].lower()}.pub {fingerprint[-8:].upper()}.pub",
        KEYRING=f"{bench.place}/keyrings/ongpu.asc",
        HEADER=HEADER,
        SPOOL=f"{bench.place}/spool",
    )


def test_the_key_is_fetched_checked_and_says_whose_it_is(bench: Bench, site: Site, repository: Repository) -> None:
    url = at(site, repository)
    site.files[f"/repo/{repository.fingerprint[-8:].upper()}.pub"] = repository.key.encode()
    said = bench.run(fetch_key(bench, url, repository.fingerprint))
    assert said == Said(0, "")
    keyring = (bench.place / "keyrings" / "ongpu.asc").read_text()
    assert HEADER in keyring
    assert openpgp.fingerprints(keyring) == (repository.fingerprint,)
    assert update(bench, url, keyring).code == 0


def test_another_key_than_the_declared_one_is_refused(bench: Bench, site: Site, repository: Repository) -> None:
    url, declared = at(site, repository), "A" * 40
    site.files["/repo/aaaaaaaa.pub"] = repository.key.encode()
    said = bench.run(fetch_key(bench, url, declared))
    assert said.code == 1
    assert f"has the fingerprint {repository.fingerprint} and not the declared {declared}" in said.reason
    assert not list((bench.place / "keyrings").iterdir())


def test_what_is_no_key_or_not_there_is_refused(bench: Bench, site: Site) -> None:
    said = bench.run(fetch_key(bench, f"{site.url}/repo/", "A" * 40))
    assert "answered HTTP 404" in said.reason
    site.files["/repo/aaaaaaaa.pub"] = b"<html>"
    said = bench.run(fetch_key(bench, f"{site.url}/repo/", "A" * 40))
    assert said.code == 1
    assert "is not an OpenPGP key" in said.reason


def sees(bench: Bench, url: str) -> Run:
    file = f"{bench.place}/etc/sources.list.d/ongpu-nvidia.sources"
    return shell.run(f"add {url} to apt's sources", "apt-sees", FILE=file, URL=url, PACKAGE="nvidia-driver-cuda")


def test_a_source_that_contradicts_the_hosts_own_is_taken_out_again(
    bench: Bench, site: Site, repository: Repository
) -> None:
    url = at(site, repository)
    update(bench, url, repository.key)
    own = bench.place / "etc/sources.list.d/ongpu-nvidia.sources"
    own.write_text(source(url, bench.place / "key.asc"))
    bench.run(Run(command="apt-get update", what="update"))
    assert bench.run(sees(bench, url)).code == 0
    other = bench.place / "etc/sources.list.d/cuda.sources"
    other.write_text(source(url, bench.place / "other.asc"))
    said = bench.run(sees(bench, url))
    assert said.code == 1
    assert f"{url} was taken out again" in said.reason
    assert "Conflicting values" in said.reason
    assert (own.exists(), other.exists()) == (False, True)


def test_another_pin_that_hides_the_driver_is_said(bench: Bench, site: Site, repository: Repository) -> None:
    url = at(site, repository)
    keyring = bench.place / "key.asc"
    keyring.write_text(repository.key)
    (bench.place / "etc/sources.list.d/ongpu-nvidia.sources").write_text(source(url, keyring))
    bench.run(Run(command="apt-get update", what="update"))
    (bench.place / "etc/preferences.d/site").write_text(
        "Package: nvidia-driver-cuda\nPin: version *\nPin-Priority: -1\n"
    )
    said = bench.run(sees(bench, url))
    assert said.code == 1
    assert "has no candidate" in said.reason


def test_the_lists_lock_is_waited_for(bench: Bench, site: Site, repository: Repository) -> None:
    url, real = at(site, repository), shutil.which("apt-get")
    busy = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)"
    bench.fake(
        "apt-get",
        f'[ "$(wc -l <{bench.place}/calls.apt-get)" -gt 2 ] || {{ echo "{busy}"; exit 100; }}\nexec {real} "$@"',
    )
    assert update(bench, url, repository.key).code == 0
    assert len(bench.calls("apt-get")) == 3


def test_nothing_here_touches_the_machines_own_apt(bench: Bench) -> None:
    dump = subprocess.run(
        ["apt-config", "shell", "LISTS", "Dir::State::lists/d"],
        env={**os.environ, **bench.environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert str(bench.place) in dump
