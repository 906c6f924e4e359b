"""The wheel carries what a pip user needs: both packages, deploys/ and templates/."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=TOP, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    (found,) = out.glob("*.whl")
    return found


def test_wheel_carries_everything(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for source in [*TOP.glob("deploys/*.py"), *(file for file in TOP.glob("templates/**/*") if file.is_file())]:
        assert f"ongpu/_data/{source.relative_to(TOP)}" in names
    assert {"ongpu/py.typed", "ongpu/cli/main.py", "ongpu_lab/__init__.py"} <= names
    assert not [name for name in names if name.startswith("tests/") or "__pycache__" in name]


def test_shipped_files_are_found_in_the_wheel_and_in_a_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    ask = "from ongpu.resources import directory; print(directory('deploys') / 'gpu.py')"
    for where in (tmp_path, TOP / "src"):
        code = f"import sys; sys.path.insert(0, {str(where)!r}); {ask}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
        path = Path(done.stdout.strip())
        assert path.is_file()
        assert path.is_relative_to(tmp_path if where == tmp_path else TOP)
