"""Copy a file of the controller to a host, piece by piece: for hosts that reach no server (air gap).

pyinfra's own upload starts anew after each interruption. Here each piece says at which byte it goes on, and the host
appends it only there; so a copy that is cut off anywhere goes on, whoever sends the next piece. Each piece holds the
host's lock while it is written: two controllers that send the same file complete each other's work.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ongpu.engine.cell import Trouble
from ongpu.engine.remote import run_script
from ongpu.engine.steps import LOCKED, Failed
from ongpu.errors import Exit
from ongpu.host.paths import LOCK, STATE_DIR
from ongpu.plan.types import Send

if TYPE_CHECKING:
    from pyinfra.api.host import Host

PIECE = 2 << 20  # bytes; a third more on its way
SECONDS = 600  # for one piece
LOCK_SECONDS = 20  # a piece of another controller is written in less; a change on the host takes longer
_TRIES = 3  # pieces in a row after which the file has not grown

# The answer's last line: SIZE bytes are there, of which the next piece may be appended; or a reason.
_ASK = """{{
f={path}
umask 077
mkdir -p {state} "${{f%/*}}" || exit 1
if command -v flock >/dev/null 2>&1; then
  exec 9>{lock}
  flock -w {wait} 9 || {{ echo locked; exit 0; }}
fi
[ -f "$f" ] || : >"$f" || exit 1
size=$(wc -c <"$f" | tr -d ' ')
[ "$size" -le {total} ] || {{ : >"$f"; size=0; }}
free=$(df -Pk "$f" | awk 'NR == 2 {{ print $4 }}')
if [ $((free * 1024)) -lt $(({total} - size)) ]; then
  rm -f "$f"
  echo "disk full: ${{f%/*}} has $((free / 1024)) MiB free"
  exit 1
fi
append() {{ base64 -d >>"$f" <<'ONGPU_END'
{data}
ONGPU_END
}}
if [ "$size" = {at} ] && [ {at} != {total} ]; then
  append || {{ echo "disk full or not writable: ${{f%/*}}"; exit 1; }}
fi
echo "size $(wc -c <"$f" | tr -d ' ')"
}} </dev/null
"""


def send(host: Host, step: Send) -> Trouble | None:
    """None when the whole file is on the host."""
    source = Path(step.source)
    try:
        total = source.stat().st_size
        with source.open("rb") as file:
            return _all(host, step, total, lambda at: _piece(file, at))
    except OSError as error:
        return Trouble(f"cannot read {source} on this machine: {error.strerror}", Exit.FINDINGS)


def _piece(file: BinaryIO, at: int) -> bytes:
    file.seek(at)
    return file.read(PIECE)


def _all(host: Host, step: Send, total: int, piece: Callable[[int], bytes]) -> Trouble | None:
    at, stuck = -1, 0  # -1: nothing is sent before it is known how much is there
    while at != total:
        data = base64.encodebytes(piece(at)).decode() if at >= 0 else ""
        answer = run_script(host, _script(step.path, total, at, data.rstrip("\n")), SECONDS)
        last = answer.text.strip().rpartition("\n")[2]
        if last == "locked":
            return Trouble(str(Failed(-1, LOCKED, "", ())), Exit.REFUSED)
        if not last.startswith("size ") or not last[5:].isdecimal():
            return Trouble(f"could not copy {step.source} to the host: {last or answer.failure}", Exit.FINDINGS)
        stuck = stuck + 1 if int(last[5:]) == at else 0
        if stuck >= _TRIES:
            return Trouble(f"could not copy {step.source} to the host: its size stays {at} bytes", Exit.FINDINGS)
        at = int(last[5:])
    return None


def _script(path: str, total: int, at: int, data: str) -> str:
    return _ASK.format(
        path=shlex.quote(path), total=total, at=at, data=data, state=STATE_DIR, lock=LOCK, wait=LOCK_SECONDS
    )
