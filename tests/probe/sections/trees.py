"""A section's shell for real, on a tree that stands in for the host's root."""

from __future__ import annotations

import re
from pathlib import Path

from ongpu.probe import frame
from ongpu.probe.output import Output
from ongpu.probe.script import build
from ongpu.probe.section import Section
from tests.probe.shells import run


def on_tree(shell: tuple[str, ...], section: Section, root: Path, tools: Path | None, *tops: str) -> Output:
    """What the section prints when each directory of `tops` (`/boot`) is the one under `root`."""
    places = "|".join(re.escape(top) for top in tops)
    moved = re.sub(rf"(?<![\w}}])({places})(?=[/ ;\"])", rf"{root}\1", section.shell)
    text = run(shell, build((Section(name=section.name, shell=moved, parse=section.parse),)), tools)
    frames = frame.split(text.replace(str(root), ""))
    assert frames.complete
    assert frames.outputs[section.name].complete
    return frames.outputs[section.name]


def put(root: Path, files: dict[str, str]) -> Path:
    """Files with these texts; a text `-> X` makes a symbolic link."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)
    return root
