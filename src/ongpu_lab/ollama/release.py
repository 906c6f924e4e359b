"""Builds what the lab's imitated sites serve for Ollama: release archives with checksums, and the model registry."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from packaging.version import Version

from ongpu_lab.errors import LabError
from ongpu_lab.ollama import catalogue, interpreter, registry

DEFAULT_VERSION = "0.32.15"
# Ollama's archives are .tar.zst since 0.14, .tgz before. All three are the same program with another number: what a
# version before 0.30 logged and how it named its runner is not imitated.
VERSIONS = (DEFAULT_VERSION, "0.24.0", "0.13.5")
_HERE = Path(__file__).parent
_PLACEHOLDERS = {
    "": ("libggml-base.so", "libggml.so", "libllama.so", "libmtmd.so", "libggml-cpu-haswell.so", "libggml-cpu-x64.so"),
    "cuda_v12": ("libggml-cuda.so", "libcudart.so.12", "libcublas.so.12", "libcublasLt.so.12"),
    "cuda_v13": ("libggml-cuda.so", "libcudart.so.13", "libcublas.so.13", "libcublasLt.so.13"),
    "vulkan": ("libggml-vulkan.so",),
}


def build(cache: Path, www_github: Path, www_registry: Path) -> None:
    """Put the release below `www_github` (`ollama/ollama/releases/download/vX/…`) and the models below `www_registry`.

    What was built before from the same sources comes from `cache`. Raises LabError.
    """
    place = cache / "ollama" / _key()
    if not (place / "complete").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
            _build_all(Path(scratch), cache / "ollama" / "packages")
            (Path(scratch) / "result" / "complete").touch()
            shutil.rmtree(place, ignore_errors=True)
            (Path(scratch) / "result").rename(place)
    _publish(place / "github", www_github)
    _publish(place / "registry", www_registry)


def _key() -> str:
    """A hash of everything that shapes the result."""
    digest = hashlib.sha256(repr((VERSIONS, interpreter.PACKAGES)).encode())
    for path in sorted([*_HERE.rglob("*.py"), *_HERE.rglob("*.c")]):
        digest.update(str(path.relative_to(_HERE)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _publish(source: Path, target: Path) -> None:
    """Hard links where possible: the archives are the same files in every lab."""
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.unlink(missing_ok=True)
        try:
            place.hardlink_to(path)
        except OSError:
            shutil.copy(path, place)


def _build_all(scratch: Path, packages: Path) -> None:
    result = scratch / "result"
    tree = scratch / "tree"
    _program_tree(tree, packages, scratch)
    for version in VERSIONS:
        (tree / "lib/ollama/.lab/VERSION").write_text(version + "\n")
        folder = result / f"github/ollama/ollama/releases/download/v{version}"
        folder.mkdir(parents=True)
        archive = folder / (
            "ollama-linux-amd64.tar.zst" if Version(version) >= Version("0.14") else "ollama-linux-amd64.tgz"
        )
        _pack(tree, archive)
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        (folder / "sha256sum.txt").write_text(f"{digest}  ./{archive.name}\n")
    (result / "registry").mkdir()
    for entry in catalogue.entries():
        registry.write(entry, result / "registry")


def _program_tree(tree: Path, packages: Path, scratch: Path) -> None:
    """What the archive unpacks to."""
    library = tree / "lib/ollama"
    for folder, names in _PLACEHOLDERS.items():
        (library / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            (library / folder / name).write_bytes(b"\x7fELF lab stand-in: placeholder of " + name.encode() + b"\n")
    (tree / "bin").mkdir()
    interpreter.launcher(tree / "bin/ollama")
    shutil.copy(tree / "bin/ollama", library / "llama-server")
    work = scratch / "interpreter"
    work.mkdir()
    interpreter.assemble(interpreter.fetch(packages), library / ".lab", _HERE / "standin", work)


def _pack(tree: Path, archive: Path) -> None:
    """The archive; entries are named as the real ones (`bin/ollama`), owner 0:0, no times of the build."""
    plain = archive.with_suffix(".plain")
    with tarfile.open(plain, "w", format=tarfile.GNU_FORMAT) as tar:
        for top in ("bin", "lib"):
            tar.add(tree / top, top, filter=_reset)
    tool = ["zstd", "-q", "-12", "-T0"] if archive.name.endswith(".zst") else ["gzip", "-n", "-6"]
    with archive.open("wb") as out:
        done = subprocess.run([*tool, "-c", str(plain)], stdout=out, check=False)
    plain.unlink()
    if done.returncode:
        raise LabError(f"The lab cannot pack its Ollama release: {tool[0]} failed; install {tool[0]}.")


def _reset(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = 1_577_836_800  # 2020-01-01
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry
