"""Fingerprints of the keys in an armoured OpenPGP file (RFC 9580, sections 4.2, 5.5.4 and 6.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator

_BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_END = "-----END PGP PUBLIC KEY BLOCK-----"
_PUBLIC_KEY = 6


def fingerprints(armoured: str) -> tuple[str, ...]:
    """Upper-case hex fingerprints of the primary keys (version 4), in order; empty for anything else. Never raises."""
    found: list[str] = []
    for block in armoured.split(_BEGIN)[1:]:
        body = block.split(_END)[0]
        for tag, packet in _packets(_binary(body)):
            if tag == _PUBLIC_KEY and packet[:1] == b"\x04":
                framed = b"\x99" + len(packet).to_bytes(2, "big") + packet
                found.append(hashlib.sha1(framed, usedforsecurity=False).hexdigest().upper())
    return tuple(found)


def with_comment(armoured: str, comment: str) -> str:
    """The same file with an armour header `Comment:`, the place for words that every OpenPGP reader accepts. A file
    that has it already stays as it is."""
    if f"{_BEGIN}\nComment: {comment}\n" in armoured:
        return armoured
    return armoured.replace(_BEGIN, f"{_BEGIN}\nComment: {comment}", 1)


def _binary(body: str) -> bytes:
    # Armour headers, an empty line, base64, and a checksum line that starts with `=`.
    lines = [line.strip() for line in body.strip("\r\n").split("\n")]
    data = lines[lines.index("") + 1 :] if "" in lines else lines
    text = "".join(line for line in data if not line.startswith("=") and ":" not in line)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data) and data[at] & 0x80:
        header = data[at]
        tag, size, skip = _new(data, at) if header & 0x40 else _old(data, at)
        if size < 0:
            return
        yield tag, data[at + skip : at + skip + size]
        at += skip + size


def _new(data: bytes, at: int) -> tuple[int, int, int]:
    tag, first = data[at] & 0x3F, data[at + 1 : at + 2]
    if not first:
        return tag, -1, 0
    if first[0] < 192:
        return tag, first[0], 2
    if first[0] < 224:
        return tag, ((first[0] - 192) << 8) + int.from_bytes(data[at + 2 : at + 3], "big") + 192, 3
    if first[0] == 255:
        return tag, int.from_bytes(data[at + 2 : at + 6], "big"), 6
    return tag, -1, 0  # partial lengths are for data, never for keys


def _old(data: bytes, at: int) -> tuple[int, int, int]:
    tag, kind = (data[at] >> 2) & 0x0F, data[at] & 3
    if kind == 3:
        return tag, -1, 0
    width = 1 << kind
    return tag, int.from_bytes(data[at + 1 : at + 1 + width], "big"), 1 + width
