"""The lab works with every arrangement of cgroups that a machine may have, and refuses where it cannot work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

ONGPU = str(Path(sys.executable).with_name("ongpu"))
TOP = "/sys/fs/cgroup"
NAMED = f"mount -t tmpfs cgroups {TOP}; mkdir {TOP}/systemd; mount -t cgroup -o none,name=systemd systemd {TOP}/systemd"
ARRANGEMENTS = {
    "unified": f"mount -t cgroup2 cgroup2 {TOP}",
    "hybrid": f"{NAMED}; mkdir {TOP}/unified; mount -t cgroup2 cgroup2 {TOP}/unified",
    "v1": NAMED,
}
LIFE = """
set -eu
"$1" lab --dir "$2" up --layout pair >&2
id=$(sed -n 's/.*"lab_id": "\\(.*\\)".*/\\1/p' "$2/state.json")
[ -n "$(find /sys/fs/cgroup -name "ongpu-lab-$id")" ]
"$1" lab --dir "$2" reboot lab2
for host in lab1 lab2; do "$1" lab --dir "$2" exec $host -- systemctl is-system-running; done
"$1" lab --dir "$2" down
find /sys/fs/cgroup -name "ongpu-lab-$id"
"""


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_a_life_with_each_arrangement_of_cgroups(arrangement: str, tmp_path: Path) -> None:
    script = f"umount -R {TOP}; {ARRANGEMENTS[arrangement]}; {LIFE}"
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, "sh", ONGPU, str(tmp_path / "lab")]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["lab2 is running", "running", "running"]
    assert [path.name for path in (tmp_path / "lab").iterdir()] == ["lock"]


@pytest.mark.parametrize(
    ("wrapper", "says"),
    [
        (["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"], "may not make namespaces"),
        (["unshare", "--mount", "sh", "-c", f'umount -R {TOP}; exec "$@"', "sh"], "finds no cgroups"),
        (["env", "PATH=/nowhere"], None),
    ],
)
def test_a_machine_that_cannot_is_told_so_in_one_sentence(wrapper: list[str], says: str | None, tmp_path: Path) -> None:
    argv = [*wrapper, ONGPU, "lab", "--dir", str(tmp_path / "lab"), "up", "--layout", "one"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    if says is None:  # the system's directories are found without a PATH
        assert done.returncode == 0, done.stderr
        down = [ONGPU, "lab", "--dir", str(tmp_path / "lab"), "down"]
        assert subprocess.run(down, check=False).returncode == 0
        return
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "lab").exists()
