from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("gevent", "paramiko", "pyinfra", "jinja2", "pydantic", "yaml")


def ongpu(*words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from ongpu.cli.main import main; sys.argv[0] = 'ongpu'; main()"
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)


def test_version_and_help_load_nothing_heavy() -> None:
    for words in (["--version"], ["--help"]):
        code = (
            "import sys\nfrom ongpu.cli.main import cli\n"
            f"cli.main({words!r}, standalone_mode=False)\n"
            f"print('LOADED', sorted(set({HEAVY!r}) & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
        assert "LOADED []" in done.stdout, done.stdout + done.stderr


def test_every_verb_is_listed_with_its_first_line() -> None:
    help_text = ongpu("--help").stdout
    for verb in ("plan", "apply", "verify", "snapshot"):
        assert f"\n  {verb} " in help_text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("aply",), "did you mean apply?"),
        (("plan", "--formt", "json"), "No such option"),
        (("plan", "--out", "pdf=x"), "expected FORMAT=PATH"),
        (("plan", "-i", "nowhere.py"), "there is no nowhere.py here"),
    ],
)
def test_usage_errors_are_one_sentence_and_exit_1(words: tuple[str, ...], says: str) -> None:
    done = ongpu(*words)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
