"""One `ongpu apply` per inventory at a time: a lock on the controller, free again when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ongpu.errors import ConfigError, Refused


@contextmanager
def controller_lock(path: Path) -> Iterator[None]:
    """Raises Refused, naming the holder's pid, when another run holds the lock; ConfigError when it cannot be made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror}); choose another directory with --history", str(path)
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise Refused(f"another ongpu apply is running here (pid {holder}); wait for it, or stop it") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
