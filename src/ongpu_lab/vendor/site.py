"""The files, the log and the faults of the imitated web sites."""

from __future__ import annotations

import configparser
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from ongpu_lab.vendor import knobs


class Site:
    """What all requests share: the files, the log and the knobs."""

    def __init__(self, www: Path, log: IO[str], knobs_file: Path) -> None:
        self.www = www
        self._log = log
        self._knobs = knobs_file
        self._lock = threading.Lock()

    def fault(self, host: str, path: str) -> knobs.Fault:
        """Raises ValueError with one sentence when the knobs file cannot be understood."""
        try:
            return knobs.fault_for(knobs.read(self._knobs), host, path)
        except (configparser.Error, ValueError) as error:
            raise ValueError(f"{self._knobs}: {error}") from error

    def file(self, host: str, path: str) -> Path | None:
        """The regular file behind a URL, or None; never one outside of the host's directory."""
        # apt asks for "…/x86_64/./NAME.deb", as flat repositories name their files.
        parts = [part for part in unquote(path).split("/") if part not in ("", ".")]
        if not host or "/" in host or host.startswith(".") or any(part == ".." or "\0" in part for part in parts):
            return None
        place = self.www.joinpath(host, *parts)
        return place if place.is_file() else None

    def log(self, **fields: object) -> None:
        """One line of JSON for each request."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._lock:
            self._log.write(json.dumps({"at": now, **fields}) + "\n")
            self._log.flush()
