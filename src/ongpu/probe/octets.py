"""Bytes through a channel that is ASCII: files with NUL, newlines or UTF-8 in their values (environ, unit text).

The probe's output turns NUL and every byte above 127 into `?`, and `tr '\\0' '\\n'` could not tell a newline in a
value from the end of it. So such bytes travel as base64, or as `od`'s hexadecimal where base64 is missing.
"""

from __future__ import annotations

import base64
import binascii

from ongpu.host.reading import Unreadable
from ongpu.probe.output import Part

AS_ROOT = "run the probe as root (sudo)"

# octets: standard input, encoded. slurp FILE: a file, encoded; "Permission denied" and exit code > 0 when it may
# not be opened.
SHELL = """
octets() { if have base64; then echo base64; base64; else echo hex; od -An -v -tx1; fi; }
slurp() { octets <"$1"; }
"""


def decode(part: Part) -> bytes | Unreadable:
    """What `octets` or `slurp` printed, as bytes."""
    if part.trouble:
        return unreadable(part)
    kind, _, body = part.text.partition("\n")
    try:
        if kind == "base64":
            return base64.b64decode("".join(body.split()), validate=True)
        if kind == "hex":
            return bytes.fromhex(body)
    except (ValueError, binascii.Error):
        pass
    return Unreadable("its encoded bytes arrived damaged")


def decode_text(part: Part) -> str | Unreadable:
    """As `decode`, as text; bytes that are no UTF-8 become U+FFFD."""
    match decode(part):
        case Unreadable() as blind:
            return blind
        case octets:
            return octets.decode("utf-8", "replace")


def unreadable(part: Part) -> Unreadable:
    """Why a part says nothing, and what would help when it is a matter of rights."""
    denied = "ermission denied" in part.text or "not permitted" in part.text
    return Unreadable("permission denied" if denied else part.trouble or "no output", AS_ROOT if denied else "")
