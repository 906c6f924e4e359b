"""The release as it is shipped: built from Debian's packages, unpacked, run. Needs a Debian mirror."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from pathlib import Path

import pytest

from ongpu_lab.ollama import interpreter, release

pytestmark = pytest.mark.lab
STANDIN = Path(release.__file__).parent / "standin"
FOLDER = f"ollama/ollama/releases/download/v{release.DEFAULT_VERSION}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    release.build(root / "cache", root / "github", root / "registry")
    return root


@pytest.fixture(scope="module")
def installed(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("usr")
    archive = site / "github" / FOLDER / "ollama-linux-amd64.tar.zst"
    subprocess.run(["tar", "--zstd", "-xf", archive, "-C", prefix], check=True)
    return prefix


def test_archive_is_small_and_its_checksum_is_right(site: Path) -> None:
    folder = site / "github" / FOLDER
    archive = folder / "ollama-linux-amd64.tar.zst"
    assert archive.stat().st_size < 25_000_000
    digest, name = (folder / "sha256sum.txt").read_text().split()
    assert (digest, name) == (hashlib.sha256(archive.read_bytes()).hexdigest(), f"./{archive.name}")


def test_second_build_comes_from_the_cache(site: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    release.build(site / "cache", tmp_path / "github", tmp_path / "registry")
    assert time.monotonic() - start < 2
    assert (tmp_path / "registry/v2/library/llama3.2/manifests/3b").exists()


def test_refuses_to_run_outside_the_lab(installed: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "ONGPU_LAB_HOST": str(installed / "missing")}
    done = subprocess.run(
        [installed / "bin/ollama", "--version"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "only on lab hosts" in done.stderr


def test_version(installed: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "OLLAMA_HOST": "127.0.0.1:9",
        "ONGPU_LAB_HOST": "/",
    }
    done = subprocess.run(
        [installed / "bin/ollama", "--version"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        f"Warning: client version is {release.DEFAULT_VERSION}",
    )


def test_interpreter_has_every_module_that_the_program_imports(installed: Path) -> None:
    names = sorted(path.stem for path in STANDIN.glob("*.py") if path.stem != "__init__")
    imports = ", ".join(f"ongpu_lab.ollama.standin.{name}" for name in names)
    program = installed / "lib/ollama/import-all"
    interpreter.launcher(program, start=f"import {imports}; print(42)")
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
