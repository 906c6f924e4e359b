"""ongpu and the Python that runs it, on a lab host that has neither: the host's own check of itself is the real one.

Lab hosts have no mirror to install Python from. So the interpreter of these tests is copied with its standard library,
the shared libraries of both, and the distributions that ongpu needs.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.lab.fleets import TOP
from tests.lab.machines import Host

PLACE = "opt/ongpu-under-test"
_PROGRAM = f"""#!/bin/sh
export LD_LIBRARY_PATH=/{PLACE}/lib PYTHONHOME=/{PLACE} PYTHONPATH=/{PLACE}/site PYTHONDONTWRITEBYTECODE=1
exec /{PLACE}/bin/python3 -c 'import sys; sys.argv[0] = "ongpu"; from ongpu.cli.main import main; main()' "$@"
"""


def install(host: Host) -> None:
    """`/usr/local/bin/ongpu` on the host, of this checkout."""
    ssh = ["ssh", "-F", str(host.lab.dir / "ssh_config"), host.name, "sudo tar -x -C /"]
    done = subprocess.run(ssh, input=_archive(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as tar:
        tar.add(sys.executable, f"{PLACE}/bin/python3")
        stdlib = Path(sysconfig.get_path("stdlib"))
        tar.add(stdlib, f"{PLACE}/lib/{stdlib.name}", filter=_needed)
        for library in _libraries(stdlib):
            tar.add(library, f"{PLACE}/lib/{Path(library).name}")
        for file, name in _distributions():
            tar.add(file, f"{PLACE}/site/{name}")
        tar.add(TOP / "src" / "ongpu", f"{PLACE}/site/ongpu", filter=_needed)
        for data in ("templates", "deploys"):
            tar.add(TOP / data, f"{PLACE}/site/ongpu/_data/{data}", filter=_needed)
        program = tarfile.TarInfo("usr/local/bin/ongpu")
        program.size, program.mode = len(_PROGRAM), 0o755
        tar.addfile(program, io.BytesIO(_PROGRAM.encode()))
    return buffer.getvalue()


def _needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(member.name).parts
    idle = {"__pycache__", "site-packages", "dist-packages", "test", "idlelib", "tkinter", "ensurepip", "turtledemo"}
    if idle.intersection(parts) or parts[-1].startswith(("config-", "libpython")):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _libraries(stdlib: Path) -> set[str]:
    """What the interpreter and its extension modules load, apart from the C library, which every host has."""
    files = [Path(sys.executable), *stdlib.glob("lib-dynload/*.so")]
    said = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True, check=False).stdout
    found = re.findall(r"=> (/\S+)", said)
    own = re.compile(r"lib(?:c|m|dl|pthread|rt|util|gcc_s|resolv|nsl)\.so|ld-linux")
    return {path for path in found if not own.search(path)}


def _distributions() -> Iterator[tuple[Path, str]]:
    """Every file of what ongpu requires, and of what that requires."""
    waiting, seen = ["ongpu"], {"ongpu"}
    while waiting:
        one: Distribution = distribution(waiting.pop())
        if one.name != "ongpu":
            for file in one.files or ():
                if ".." not in file.parts and "__pycache__" not in file.parts:
                    yield Path(str(file.locate())), str(file)
        for text in one.requires or ():
            required = Requirement(text)
            if (required.marker is None or required.marker.evaluate({"extra": ""})) and required.name not in seen:
                seen.add(required.name)
                waiting.append(required.name)
