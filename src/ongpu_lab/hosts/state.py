"""What `up` wrote down about a lab before it started anything, so that `down` can clean up after any accident."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ongpu_lab.errors import LabError
from ongpu_lab.hosts.paths import LabDir
from ongpu_lab.layout import Layout

FORMAT = 1


@dataclass(frozen=True, slots=True)
class State:
    """`lab_id` names the lab's cgroups; `bases` maps a suite to its tree; simulated hardware is built in `cache`."""

    layout: Layout
    bases: dict[str, str]
    cache: str
    lab_id: str = field(default_factory=lambda: secrets.token_hex(4))

    def save(self, lab: LabDir) -> None:
        """Written whole or not at all."""
        data = {
            "format": FORMAT,
            "lab_id": self.lab_id,
            "hosts": self.layout.as_data(),
            "bases": self.bases,
            "cache": self.cache,
        }
        write_whole(lab / "state.json", json.dumps(data, indent=1) + "\n")


def load(lab: LabDir) -> State | None:
    """The state of a lab directory, None if there is none. Raises LabError when it cannot be read as one."""
    try:
        return parse((lab / "state.json").read_text(errors="replace"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LabError(f"{lab / 'state.json'} cannot be read ({error}): remove it if it is no lab of yours.") from error


def parse(text: str) -> State:
    """Raises ValueError for anything that this version did not write."""
    data: Any = json.loads(text)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError("not a lab's state of this version")
    try:
        layout = Layout.from_data(data["hosts"])
        state = State(layout, dict(data["bases"]), str(data["cache"]), str(data["lab_id"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a lab's state: {error}") from error
    if not state.lab_id.isalnum():
        raise ValueError("the lab's id is damaged")
    return state


def write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    os.replace(temporary, path)
