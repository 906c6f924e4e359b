"""Compiles the C stand-ins: libnvidia-ml.so.1, libcuda.so.1 and the nvidia-smi fallback.

Needs gcc on x86-64. The sources avoid what newer C libraries bind to new symbol versions, so that what is built on a
newer distribution still loads on Debian 12 (glibc 2.36).
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ongpu_lab.errors import LabError

SOURCES = Path(__file__).parent
FLAGS = ("-std=c11", "-D_DEFAULT_SOURCE", "-D_POSIX_C_SOURCE=200809L", "-O1", "-Wall", "-Wextra", "-Werror")
SHARED = ("-shared", "-fPIC", "-fvisibility=hidden")

# CUDA version that each driver branch brings (NVIDIA, CUDA compatibility guide).
CUDA_OF_BRANCH = {535: 12020, 550: 12040, 570: 12080, 575: 12090, 580: 13000, 590: 13010, 595: 13020}


class BuildError(LabError):
    """The lab's stand-ins could not be built; one sentence for the user."""


def cuda_version(driver: str) -> int:
    """`580.95.05` -> 13000. Raises BuildError for a branch that is not in the table."""
    branch = int(driver.split(".")[0])
    if branch not in CUDA_OF_BRANCH:
        known = ", ".join(str(number) for number in CUDA_OF_BRANCH)
        raise BuildError(f"the lab knows no CUDA version for driver branch {branch} (known: {known})")
    return CUDA_OF_BRANCH[branch]


class Compiler:
    """Compiles each source once; every driver version then costs only a link. Use as a context manager."""

    def __init__(self) -> None:
        self._gcc = shutil.which("gcc") or shutil.which("cc")
        if self._gcc is None:
            raise BuildError("the lab needs a C compiler to build its stand-ins: install gcc and libc6-dev")
        self._scratch = tempfile.TemporaryDirectory(prefix="ongpu-lab-")
        self._objects: dict[str, list[Path]] = {}

    def __enter__(self) -> Compiler:
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.cleanup()

    def nvml(self, driver: str, out: Path) -> None:
        """Write libnvidia-ml.so.1 of driver version `driver` to `out`."""
        self._library("nvml", self._nvml_objects, driver, "libnvidia-ml.so.1", out)

    def cuda(self, driver: str, out: Path) -> None:
        """Write libcuda.so.1 of driver version `driver` to `out`."""
        self._library("cuda", self._cuda_objects, driver, "libcuda.so.1", out)

    def smi(self, driver: str, out: Path) -> None:
        """Write our own nvidia-smi, which knows the common options only, to `out`."""
        sources = sorted((SOURCES / "smi").glob("*.c"))
        self._run([*FLAGS, f'-DSMI_VERSION="{driver}"', "-o", str(out), *map(str, sources), "-ldl"])

    def tool(self, name: str, out: Path) -> None:
        """Write `nvidia-modprobe` or `nvidia-persistenced` to `out`."""
        self._run([*FLAGS, "-o", str(out), str(SOURCES / "tools" / f"{name}.c"), "-ldl"])

    def placeholder(self, soname: str, out: Path) -> None:
        """Write a library without functions, for those parts of the driver that nothing in the lab calls."""
        empty = self._write("empty.c", "extern int ongpu_lab_placeholder;\nint ongpu_lab_placeholder;\n")
        self._run([*FLAGS, *SHARED, f"-Wl,-soname,{soname}", "-o", str(out), str(empty)])

    def module(self, source: str, out: Path) -> None:
        """Write an object file with a kernel module's information in it, from assembler text."""
        path = Path(self._scratch.name) / f"{out.name}.s"
        path.write_text(source)
        self._run(["-c", "-o", str(out), str(path)])

    def _library(self, name: str, objects: object, driver: str, soname: str, out: Path) -> None:
        assert callable(objects)
        if name not in self._objects:
            self._objects[name] = objects()
        version = Path(self._scratch.name) / f"version-{name}-{driver}.c"
        version.write_text(
            f'const char {name}_driver_version[] = "{driver}";\n'
            f"const int {name}_cuda_version = {cuda_version(driver)};\n"
        )
        parts = [*map(str, self._objects[name]), str(version)]
        self._run([*FLAGS, *SHARED, f"-Wl,-soname,{soname}", "-o", str(out), *parts])

    def _nvml_objects(self) -> list[Path]:
        objects = self._compile(self._sources("common") + self._sources("nvml"))
        generated = [self._write("stubs.c", stubs(self._exported(objects))), self._write("slots.c", slots())]
        return objects + self._compile(generated)

    def _cuda_objects(self) -> list[Path]:
        return self._compile(self._sources("common") + self._sources("cuda"))

    def _sources(self, directory: str) -> list[Path]:
        return sorted((SOURCES / directory).glob("*.c"))

    def _write(self, name: str, text: str) -> Path:
        path = Path(self._scratch.name) / name
        path.write_text(text)
        return path

    def _compile(self, sources: Iterable[Path]) -> list[Path]:
        objects = []
        for source in sources:
            out = Path(self._scratch.name) / f"{source.parent.name}-{source.stem}.o"
            if not out.exists():
                self._run([*FLAGS, *SHARED[1:], "-c", "-o", str(out), str(source)])
            objects.append(out)
        return objects

    def _exported(self, objects: list[Path]) -> set[str]:
        listing = subprocess.run(
            ["nm", "--defined-only", *map(str, objects)], check=True, capture_output=True, text=True
        ).stdout
        return {line.split()[-1] for line in listing.splitlines() if " T " in line}

    def _run(self, arguments: list[str]) -> None:
        assert self._gcc is not None
        done = subprocess.run([self._gcc, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise BuildError(f"the lab's stand-ins do not compile:\n{done.stderr.strip()}")


def public_names() -> list[str]:
    """The names that NVIDIA's libnvidia-ml exports, as of its public header and nvidia-ml-py."""
    return (SOURCES / "nvml" / "public-names.txt").read_text().split()


def stubs(implemented: set[str]) -> str:
    """C source with every public name that is not implemented; each returns NOT_SUPPORTED (3)."""
    lines = ['#include "%s"' % (SOURCES / "nvml" / "nvml.h")]
    lines += [
        f'NVML_API {name}(void) {{ nvml_trace("{name}", "not in the lab", NOT_SUPPORTED); return NOT_SUPPORTED; }}'
        for name in public_names()
        if name not in implemented
    ]
    return "\n".join(lines) + "\n"


def slots(count: int = 512) -> str:
    """C source with the functions of nvidia-smi's private table; each passes its number on."""
    lines = ["int nvml_slot(int slot, void *first, void *second, void *third);"]
    lines += [
        f"static int slot_{n}(void *a, void *b, void *c) {{ return nvml_slot({n}, a, b, c); }}" for n in range(count)
    ]
    names = ", ".join(f"(void *)slot_{n}" for n in range(count))
    lines.append(f'__attribute__((visibility("hidden"))) void *const nvml_slots[{count}] = {{{names}}};')
    return "\n".join(lines) + "\n"
