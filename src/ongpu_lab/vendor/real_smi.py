"""NVIDIA's own nvidia-smi, for those who want it in their lab: `ONGPU_LAB_NVIDIA_SMI=fetch ongpu lab up`.

It is fetched from the non-free section of the Debian mirror that this machine is configured for, to the cache of its
user; its licence lies beside it. Without the variable the lab's own nvidia-smi is used, which prints the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ongpu_lab.base.mirror import configured_mirror
from ongpu_lab.errors import LabError

SWITCH = "ONGPU_LAB_NVIDIA_SMI"
_SUITE = "trixie"  # its nvidia-smi, of driver 550, knows every field that ongpu asks for


def wanted() -> bool:
    """Raises LabError for a value of the variable that means nothing."""
    value = os.environ.get(SWITCH, "")
    if value not in ("", "own", "fetch"):
        raise LabError(f"{SWITCH} is `{value}`; it may be `fetch` (NVIDIA's own) or `own` (the lab's).")
    return value == "fetch"


def fetch(cache: Path) -> Path:
    """The program, from the cache or the mirror. Raises LabError when it cannot be had."""
    place = cache / "nvidia-smi"
    program = place / "nvidia-smi"
    if program.exists():
        return program
    mirror = configured_mirror()
    if mirror is None:
        raise LabError(f"{SWITCH}=fetch: this machine's apt sources name no Debian archive to fetch nvidia-smi from.")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        source = mirror.source(_SUITE).removesuffix(" main") + " non-free"
        tree = _unpack(_download(Path(scratch), source), Path(scratch))
        result = Path(scratch) / "result"
        result.mkdir()
        shutil.copy(tree / "usr/lib/nvidia/current/nvidia-smi", result)
        shutil.copy(tree / "usr/share/doc/nvidia-smi/copyright", result / "LICENCE")
        result.rename(place)
    print(f"nvidia-smi is NVIDIA's, under NVIDIA's licence: see {place / 'LICENCE'}", file=sys.stderr)
    return program


def _download(scratch: Path, source: str) -> Path:
    """The .deb, by apt with lists of its own, so that signatures are checked and the machine's lists stay."""
    for folder in ("lists/partial", "archives/partial"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "sources.list").write_text(source + "\n")
    options = [
        f"Dir::Etc::SourceList={scratch}/sources.list",
        "Dir::Etc::SourceParts=-",
        f"Dir::State::Lists={scratch}/lists",
        f"Dir::Cache={scratch}",
        f"Dir::Cache::Archives={scratch}/archives",
        "APT::Sandbox::User=root",
        "APT::Update::Error-Mode=any",
    ]
    for words in (["update", "-q"], ["download", "nvidia-smi"]):
        arguments = [part for option in options for part in ("-o", option)]
        command = ["apt-get", *arguments, *words]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise LabError(f"{SWITCH}=fetch: cannot fetch nvidia-smi of Debian {_SUITE}: {last}")
    return next(scratch.glob("nvidia-smi_*.deb"))


def _unpack(deb: Path, scratch: Path) -> Path:
    tree = scratch / "tree"
    done = subprocess.run(["dpkg-deb", "-x", str(deb), str(tree)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"Cannot unpack {deb.name}: {done.stderr.strip()}")
    return tree
