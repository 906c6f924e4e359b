"""The web sites that a GPU server is installed from, as a directory tree: NVIDIA's repositories, Ollama's releases and
model registry."""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ongpu_lab.ollama import release
from ongpu_lab.vendor import driver, hostnames, modules, native, real_smi, support
from ongpu_lab.vendor.deb import Package, stanza
from ongpu_lab.vendor.deb import build as build_deb
from ongpu_lab.vendor.repository import publish_key, write_index
from ongpu_lab.vendor.signing import SigningKey

HOSTNAMES: tuple[str, ...] = hostnames.ALL
# 580 twice, for updates within a branch
DRIVERS = ("570.195.03", "580.82.07", "580.95.05", "590.44.01")
# Repository directory -> names of the key file that NVIDIA publishes in it
DIRECTORIES = {"debian12": ("3bf863cc.pub",), "debian13": ("8793F200.pub",)}
_HERE = Path(__file__).parent


def build(cache: Path, www: Path, key_out: Path) -> None:
    """Fill `www/<hostname>/…` and write the lab's public signing key (armoured) to `key_out`.

    Packages and releases come from `cache` when they were built before from the same sources; the signing key and the
    signatures are made anew for each lab. Raises LabError.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache / "vendor.lock"), SigningKey() as key, tempfile.TemporaryDirectory() as scratch:
        pool = _pool(cache / "vendor", real_smi.fetch(cache) if real_smi.wanted() else None)
        release.build(cache, www / hostnames.GITHUB, www / hostnames.REGISTRY)
        for directory, key_names in DIRECTORIES.items():
            place = www / hostnames.NVIDIA / "compute/cuda/repos" / directory / "x86_64"
            _repository(place, directory, pool, key, Path(scratch))
            publish_key(place, key, key_names)
        key_out.write_text(key.armoured())


def _repository(place: Path, directory: str, pool: Path, key: SigningKey, scratch: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for deb in pool.glob("*.deb"):
        _link(deb, place / deb.name)
    public = scratch / "key.gpg"
    public.write_bytes(key.binary())
    keyring = support.keyring(hostnames.NVIDIA, directory, public)
    own = stanza(build_deb(keyring, place, scratch), keyring)
    write_index(place, [own, *(pool / "stanzas").read_text().split("\0")], key)


def _link(source: Path, target: Path) -> None:
    """A hard link where possible: the packages are the same files in every lab."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy(source, target)


def _pool(cache: Path, real: Path | None) -> Path:
    """The directory with all packages, built if the cache has none of these sources. `real`: NVIDIA's nvidia-smi."""
    kernel = platform.release()
    place = cache / _key(kernel, real)
    if place.is_dir():
        return place
    # What was built from other sources is of no use any more; a running lab has links of its own to its files.
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        result = Path(scratch) / "result"
        result.mkdir()
        stanzas = [
            stanza(build_deb(package, result, Path(scratch)), package)
            for package in _packages(kernel, real, Path(scratch))
        ]
        (result / "stanzas").write_text("\0".join(stanzas))
        result.rename(place)
    return place


def _key(kernel: str, real: Path | None) -> str:
    """A hash of everything that shapes the packages."""
    digest = hashlib.sha256(repr((DRIVERS, kernel, real is not None)).encode())
    for path in sorted(path for path in _HERE.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        digest.update(str(path.relative_to(_HERE)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _packages(kernel: str, real: Path | None, scratch: Path) -> Iterator[Package]:
    yield support.dkms()
    yield from support.headers(kernel)
    with native.Compiler() as compiler:
        shared = _shared(compiler, scratch)
        for number in DRIVERS:
            place = scratch / number
            place.mkdir()
            built = _compile(compiler, number, kernel, place, shared)
            yield from driver.packages(number, built if real is None else built.with_nvidia_smi(real))


def _shared(compiler: native.Compiler, scratch: Path) -> dict[str, Path]:
    """What is the same in every release: placeholders and tools."""
    place = scratch / "shared"
    place.mkdir()
    files = {}
    for soname in driver.PLACEHOLDERS.values():
        files[soname] = place / soname
        compiler.placeholder(soname, files[soname])
    for name in ("nvidia-modprobe", "nvidia-persistenced"):
        files[name] = place / name
        compiler.tool(name, files[name])
    return files


def _compile(compiler: native.Compiler, number: str, kernel: str, place: Path, shared: dict[str, Path]) -> driver.Built:
    compiler.nvml(number, place / "libnvidia-ml.so.1")
    compiler.cuda(number, place / "libcuda.so.1")
    compiler.smi(number, place / "nvidia-smi")
    built_modules: dict[tuple[modules.Flavour, str], Path] = {}
    for flavour in ("open", "proprietary"):
        for name in modules.MODULES:
            out = place / f"{flavour}-{name}.ko"
            compiler.module(modules.assembler(name, number, flavour, kernel), out)
            built_modules[flavour, name] = out
    own = {name: place / name for name in ("libnvidia-ml.so.1", "libcuda.so.1", "nvidia-smi")}
    return driver.Built(libraries=shared | own, programs=shared | own, modules=built_modules)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Two labs that start at once do not build the same twice."""
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
