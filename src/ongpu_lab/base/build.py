"""Build a base tree, or find it in the cache. A killed build leaves no half tree that anything would use."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ongpu_lab.base.disguise import disguise
from ongpu_lab.base.finish import finish
from ongpu_lab.base.mirror import KEYRING, configured_mirror
from ongpu_lab.base.recipe import Recipe
from ongpu_lab.contain import clean_environment, contained
from ongpu_lab.errors import LabError

TIME_LIMIT = 1200  # seconds for one tree; 20 to 75 measured
_NETWORK = re.compile(
    r"Temporary failure|Could not (?:resolve|connect)|Unable to connect|Network is unreachable"
    r"|Connection (?:timed out|refused)|Failed to fetch"
)


def cache_home() -> Path:
    """For what can be built again: $ONGPU_LAB_CACHE, else $XDG_CACHE_HOME/ongpu-lab, else ~/.cache/ongpu-lab."""
    if own := os.environ.get("ONGPU_LAB_CACHE", ""):
        return Path(own).absolute()
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".cache") / "ongpu-lab"


def tree(suite: str, cache: Path) -> Path:
    """Where a suite's base tree is once it is built."""
    return cache / "bases" / Recipe.of(suite).key


def ensure(suite: str, cache: Path, say: Callable[[str], None]) -> Path:
    """The root directory of a suite's base tree, built first if the cache has none. Raises LabError."""
    recipe = Recipe.of(suite)
    bases = cache / "bases"
    target = tree(suite, cache)
    if target.is_dir():
        return target
    bases.mkdir(parents=True, exist_ok=True)
    with _alone(bases / f"{recipe.key}.lock", lambda: say(f"another process builds Debian {suite}; waiting for it")):
        if not target.is_dir():
            _remove_abandoned(bases, recipe.key)
            say(f"building the Debian {suite} base (about a minute, once; kept in {target})")
            _build(recipe, bases / f"{recipe.key}.tmp", target)
    return target


def _build(recipe: Recipe, temporary: Path, target: Path) -> None:
    root, scratch = temporary / "root", temporary / "tmp"
    scratch.mkdir(parents=True)
    mirror = configured_mirror()
    argv = recipe.argv(str(root), [mirror.source(recipe.suite)] if mirror else [])
    environment = clean_environment() | {"TMPDIR": str(scratch)}
    log = temporary / "log"
    try:
        with log.open("wb") as out:
            code = subprocess.run(
                contained(argv),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment,
                timeout=TIME_LIMIT,
                check=False,
            ).returncode
        if code != 0:
            raise LabError(
                _explain(recipe.suite, mirror.uri if mirror else "its default mirror", log.read_text(errors="replace"))
            )
        finish(root)
        if recipe.disguise:
            disguise(root, recipe.disguise)
        root.rename(target)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"Building the Debian {recipe.suite} base took more than {TIME_LIMIT} s; try again.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _explain(suite: str, mirror: str, log: str) -> str:
    """One sentence from mmdebstrap's output; its errors start with `E: ` (mmdebstrap 1.3.5, apt 2.6)."""
    errors = [
        line.removeprefix("E: ").strip() for line in log.splitlines() if line.startswith(("E:", "Err:", "W: Failed"))
    ]
    reason = errors[0] if errors else (log.strip().splitlines() or ["no output"])[-1]
    if "NO_PUBKEY" in log:
        return (
            f"This machine does not trust Debian {suite}'s key: upgrade the package debian-archive-keyring ({KEYRING})."
        )
    if _NETWORK.search(log):
        return f"Cannot download Debian {suite} from {mirror}: {reason}. Check this machine's network and apt sources."
    return f"Building the Debian {suite} base failed: {reason}."


def _remove_abandoned(bases: Path, key: str) -> None:
    """What a killed build left: we hold the lock, so nobody works in it."""
    shutil.rmtree(bases / f"{key}.tmp", ignore_errors=True)


@contextmanager
def _alone(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
