"""Say how far a long step is, while it runs: a second, short command in the same connection now and then."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import gevent

from ongpu.engine.remote import run_script

if TYPE_CHECKING:
    from pyinfra.api.host import Host

INTERVAL = 15.0  # seconds between two looks; a step that is done before is not asked at all
_LONGEST = 200


@contextmanager
def told(host: Host, file: str) -> Iterator[None]:
    """While the block runs, the file's line is logged whenever it has changed. Without a file, nothing is done."""
    if not file:
        yield
        return
    asking = gevent.spawn(_ask, host, file)
    try:
        yield
    finally:
        asking.kill()


def _ask(host: Host, file: str) -> None:
    last = ""
    while True:
        gevent.sleep(INTERVAL)
        answer = run_script(host, f"cat {shlex.quote(file)} 2>/dev/null || :\n", 20)
        line = "".join(c for c in answer.text.strip().partition("\n")[0] if c.isprintable())[:_LONGEST]
        if line and line != last:
            last = line
            host.log(line)
