"""The Python that the release brings along: Debian 12's packages, cut down to what the stand-in imports.

Lab hosts have no Python, and what runs there must run on every Debian from 12 on: libpython3.11 of Debian 12 needs
glibc 2.35, and OpenSSL 3 for TLS, which the hosts have.
"""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

from ongpu_lab.base.mirror import configured_mirror
from ongpu_lab.errors import LabError

VERSION = "3.11"
LIBRARY = f"libpython{VERSION}.so.1.0"
PACKAGES = ("libpython3.11", "libpython3.11-minimal", "libpython3.11-stdlib", "libffi8", "libexpat1")
_SHARED = (LIBRARY, "libffi.so.8", "libexpat.so.1")
_EXTENSIONS = ("_contextvars", "_ctypes", "_hashlib", "_json", "_queue", "_ssl", "_typing")
# Top-level modules and packages that the stand-in imports, and what those import
_NAMES = """
__future__ _collections_abc _compression _weakrefset abc ast base64 bisect bz2 calendar codecs collections
concurrent contextlib copy copyreg ctypes dataclasses datetime dis email encodings enum fnmatch
functools genericpath hashlib heapq hmac http importlib inspect io ipaddress json keyword linecache locale
logging ntpath opcode operator os pathlib posixpath queue quopri random re reprlib secrets selectors shutil
signal socket ssl stat string stringprep struct subprocess tempfile textwrap threading token tokenize
traceback types typing urllib warnings weakref zipfile zipimport
"""
_MODULES = _NAMES.split()
_ENCODINGS = ("__init__", "aliases", "ascii", "idna", "latin_1", "utf_8")
_COMPILE = """
import pathlib, sys
from importlib._bootstrap_external import _code_to_hash_pyc
from importlib.util import source_hash
root = pathlib.Path(sys.argv[1])
for path in sorted(root.rglob("*.py")):
    data = path.read_bytes()
    code = compile(data, str(path.relative_to(root)), "exec", dont_inherit=True, optimize=2)
    path.with_suffix(".pyc").write_bytes(_code_to_hash_pyc(code, source_hash(data), False))
"""


def fetch(cache: Path) -> list[Path]:
    """The packages as .deb files, from the cache or from the Debian mirror of this machine. Raises LabError."""
    cache.mkdir(parents=True, exist_ok=True)
    if not _cached(cache):
        own = _apt(cache, ["download", *PACKAGES], [])
        if own.returncode or not _cached(cache):
            _fetch_bookworm(cache)
    return _cached(cache)


def _cached(cache: Path) -> list[Path]:
    found = [next(iter(sorted(cache.glob(f"{name}_*.deb"))), None) for name in PACKAGES]
    return [path for path in found if path] if all(found) else []


def _fetch_bookworm(cache: Path) -> None:
    """On a machine with another Debian: apt with lists of its own, for the same mirror's bookworm."""
    mirror = configured_mirror()
    if mirror is None:
        raise LabError(
            "The lab's Ollama needs a package of Debian 12: this machine's apt sources name no Debian archive."
        )
    state = cache / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "sources.list").write_text(mirror.source("bookworm") + "\n")
    options = [
        f"Dir::Etc::SourceList={state}/sources.list",
        "Dir::Etc::SourceParts=-",
        f"Dir::State::Lists={state}/lists",
        f"Dir::Cache={state}",
        f"Dir::Cache::Archives={state}/archives",
        "APT::Update::Error-Mode=any",
    ]
    for words in (["update", "-q"], ["download", *PACKAGES]):
        done = _apt(cache, words, options)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise LabError(f"Cannot fetch {PACKAGES[0]} of Debian 12 for the lab's Ollama: {last}")
    shutil.rmtree(state)


def _apt(cache: Path, words: list[str], options: list[str]) -> subprocess.CompletedProcess[str]:
    arguments = [part for option in ["APT::Sandbox::User=root", *options] for part in ("-o", option)]
    return subprocess.run(["apt-get", *arguments, *words], cwd=cache, capture_output=True, text=True, check=False)


def assemble(packages: list[Path], home: Path, program: Path, scratch: Path) -> None:
    """Lay out `home`: libraries, extension modules, and one archive with the standard library and our `program`."""
    tree = scratch / "debs"
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", str(package), str(tree)], check=True)
    home.mkdir(parents=True)
    for name in _SHARED:
        source = next(path for path in tree.rglob(name))
        shutil.copy(source.resolve(), home / name)
    standard = tree / f"usr/lib/python{VERSION}"
    dynload = home / f"lib/python{VERSION}/lib-dynload"
    dynload.mkdir(parents=True)
    for name in _EXTENSIONS:
        shutil.copy(next((standard / "lib-dynload").glob(f"{name}.*.so")), dynload)
    modules = scratch / "modules"
    _copy_modules(standard, modules)
    target = modules / "ongpu_lab/ollama/standin"
    shutil.copytree(program, target, ignore=shutil.ignore_patterns("__pycache__"))
    for package in (target.parent, target.parent.parent):
        (package / "__init__.py").touch()
    _compile(home, modules, scratch)
    _archive(modules, home / f"lib/python{VERSION.replace('.', '')}.zip")


def _copy_modules(standard: Path, modules: Path) -> None:
    modules.mkdir(parents=True)
    for name in _MODULES:
        folder = standard / name
        if folder.is_dir():
            shutil.copytree(folder, modules / name, ignore=shutil.ignore_patterns("__pycache__", "test*", "macholib"))
        else:
            shutil.copy(standard / f"{name}.py", modules)
    for path in (modules / "encodings").glob("*.py"):
        if path.stem not in _ENCODINGS:
            path.unlink()


def _compile(home: Path, modules: Path, scratch: Path) -> None:
    """Byte code made by the same interpreter; where it does not run (a machine older than Debian 12), sources stay."""
    shutil.copytree(modules, home / f"lib/python{VERSION}", dirs_exist_ok=True)
    compiler = scratch / "compile"
    launcher(compiler, start="import sys; exec(open(sys.argv.pop(1)).read())")
    script = scratch / "compile.py"
    script.write_text(_COMPILE)
    (scratch / ".lab").symlink_to(home)
    done = subprocess.run([str(compiler), str(script), str(modules)], capture_output=True, check=False)
    for path in (home / f"lib/python{VERSION}").iterdir():
        if path.name != "lib-dynload":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if done.returncode == 0:
        for path in modules.rglob("*.py"):
            path.unlink()


def _archive(modules: Path, out: Path) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(modules.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(str(path.relative_to(modules)), (2020, 1, 1, 0, 0, 0))
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())


def launcher(out: Path, start: str = "") -> None:
    """Compile the executable. Raises LabError."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        raise LabError("The lab needs a C compiler for its Ollama: install gcc and libc6-dev.")
    define = [f'-DSTART="{start}"'] if start else []
    command = [compiler, "-O2", "-Wall", "-Wextra", "-Werror", f'-DPYTHON="{LIBRARY}"', *define]
    done = subprocess.run(
        [*command, "-o", str(out), str(Path(__file__).parent / "launcher.c"), "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(f"The launcher of the lab's Ollama does not compile: {done.stderr.strip()}")
