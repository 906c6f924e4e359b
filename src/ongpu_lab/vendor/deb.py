"""Debian packages: a description, and the .deb that dpkg-deb makes of it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ongpu_lab.errors import LabError

_EPOCH = "1577836800"  # 2020-01-01: the same content gives the same .deb


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One binary package.

    `files` maps absolute paths on the host to text, to a file to copy, or (`link`) to a symbolic link's target;
    `modes` gives permissions that are not 0644 (0755 for what is below bin, sbin). `scripts` are maintainer scripts by
    name (`postinst`, …). `relations` are control fields such as Depends, in the order of the control file.
    """

    name: str
    version: str
    architecture: str = "amd64"
    description: str
    relations: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str | Path] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    modes: Mapping[str, int] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    conffiles: tuple[str, ...] = ()
    triggers: str = ""

    @property
    def file_name(self) -> str:
        """As in a repository: the epoch is not part of it."""
        return f"{self.name}_{self.version.split(':')[-1]}_{self.architecture}.deb"

    def control(self) -> str:
        """The control file."""
        return "".join(
            f"{key}: {value}\n"
            for key, value in {
                "Package": self.name,
                "Version": self.version,
                "Architecture": self.architecture,
                "Section": "non-free/libs",
                "Priority": "optional",
                "Maintainer": "ongpu lab <lab@ongpu.invalid>",
                **self.relations,
                "Description": f"{self.description} (stand-in of the ongpu lab)",
            }.items()
        )


def build(package: Package, directory: Path, scratch: Path) -> Path:
    """Write the .deb into `directory`. Raises LabError with dpkg-deb's words."""
    tree = scratch / package.file_name
    _lay_out(package, tree)
    out = directory / package.file_name
    done = subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(out)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "SOURCE_DATE_EPOCH": _EPOCH},
    )
    shutil.rmtree(tree)
    if done.returncode:
        raise LabError(f"The lab cannot pack {package.file_name}: {done.stderr.strip()}")
    return out


def _lay_out(package: Package, tree: Path) -> None:
    control = tree / "DEBIAN"
    control.mkdir(parents=True, mode=0o755)
    (control / "control").write_text(package.control())
    for name, text in package.scripts.items():
        (control / name).write_text(text)
        (control / name).chmod(0o755)
    if package.triggers:
        (control / "triggers").write_text(package.triggers + "\n")
    if package.conffiles:
        (control / "conffiles").write_text("".join(f"{path}\n" for path in package.conffiles))
    for path, content in package.files.items():
        place = tree / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, place)
        else:
            place.write_text(content)
        place.chmod(package.modes.get(path, 0o755 if "/bin/" in path or "/sbin/" in path else 0o644))
    for path, target in package.links.items():
        place = tree / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


def stanza(deb: Path, package: Package) -> str:
    """The package's entry in a flat repository's `Packages`."""
    data = deb.read_bytes()
    head, description = package.control().split("Description: ", 1)
    return (
        f"{head}Filename: ./{deb.name}\nSize: {len(data)}\nMD5sum: {hashlib.md5(data).hexdigest()}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\nDescription: {description}"
    )
