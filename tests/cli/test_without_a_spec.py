"""`pyinfra @local deploys/gpu.py -y` on anybody's machine: nothing is declared, so nothing is done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def test_a_machine_without_a_spec_is_left_alone_and_told_why(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("pyinfra")), "@local", str(TOP / "deploys/gpu.py"), "-y"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "@local has no ongpu spec, so nothing is changed: declare it in inventory/*.yaml" in done.stderr
    assert "Traceback" not in done.stderr
    assert "executed 0 commands" in done.stderr
    assert not (tmp_path / "history").exists()
