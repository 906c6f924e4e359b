"""What `systemctl show` prints, taken apart. Seen with systemd 252 and 257; the quoting is that of 247 and later."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# Environment=PATH=/usr/bin OLLAMA_HOST=0.0.0.0:11434 "SPACED=a b" "QUOTE=say \"hi\"" "NL=one\ntwo"
_NAME = re.compile(r"^([A-Z][A-Za-z0-9]*)=")
_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "e": 27, "s": 32}
_SPACES = " \t\r\n"  # no other space ends a word, whatever Unicode calls one
_NUMBER = re.compile(r"x([0-9a-fA-F]{2})|([0-3][0-7]{2})")
# ExecStart={ path=/usr/local/bin/ollama ; argv[]=/usr/local/bin/ollama serve ; ignore_errors=no ; start_time=[…
_ARGV = re.compile(r"argv\[\]=(.*?) ; (?:ignore_errors|flags)=")
_PATH = re.compile(r"\{ path=(\S+) ;")
# Tue 2026-11-24 06:02:27 UTC           (with LC_ALL=C and TZ=UTC0)
_STAMP = re.compile(r"^[A-Z][a-z]{2} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? UTC$")
# /etc/default/ollama (ignore_errors=yes)
_IGNORE = re.compile(r" \(ignore_errors=(?:yes|no)\)$")


def properties(text: str) -> dict[str, str]:
    """`NAME=VALUE` lines. A property on several lines (EnvironmentFiles, DeviceAllow) keeps its newlines."""
    found: dict[str, str] = {}
    name = ""
    for line in text.split("\n"):
        if match := _NAME.match(line):
            name, value = match[1], line[match.end() :]
            found[name] = f"{found[name]}\n{value}" if name in found else value
        elif name and line:
            found[name] += "\n" + line
    return found


def words(text: str) -> tuple[str, ...]:
    """A list property: words between spaces, quoted with `"…"` (or `$'…'`) and C escapes where needed."""
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in _SPACES:
            at += 1
            continue
        word = bytearray()
        while at < len(text) and text[at] not in _SPACES:
            if text.startswith("$'", at):
                at = _quoted(text, at + 2, "'", word)
            elif text[at] == '"':
                at = _quoted(text, at + 1, '"', word)
            else:
                word += text[at].encode("utf-8", "replace")
                at += 1
        found.append(word.decode("utf-8", "replace"))
    return tuple(found)


def _quoted(text: str, at: int, end: str, word: bytearray) -> int:
    """Appends up to the closing quote; returns the position behind it (or the end of a cut-off text)."""
    while at < len(text) and text[at] != end:
        if text[at] != "\\" or at + 1 >= len(text):
            word += text[at].encode("utf-8", "replace")
            at += 1
        elif number := _NUMBER.match(text, at + 1):
            word.append(int(number[1], 16) if number[1] else int(number[2], 8))
            at = number.end()
        else:
            letter = text[at + 1]
            word += bytes([_ESCAPES[letter]]) if letter in _ESCAPES else letter.encode("utf-8", "replace")
            at += 2
    return at + 1


def environment(text: str) -> dict[str, str]:
    """`Environment=` as variables; a word without `=` is none."""
    return dict(word.split("=", 1) for word in words(text) if "=" in word)


def environment_files(text: str) -> tuple[str, ...]:
    """`EnvironmentFiles=` as paths."""
    return tuple(_IGNORE.sub("", line) for line in text.split("\n") if line)


def command_line(text: str) -> str:
    """`ExecStart=` as one command line; several commands (Type=oneshot) give the last."""
    found = _ARGV.findall(text)
    return found[-1] if found else ""


def executable(text: str) -> str:
    """`ExecStart=`'s program as an absolute path; empty when there is none."""
    found = _PATH.search(text)
    return found[1] if found else ""


def timestamp(text: str) -> datetime | None:
    """A time that `systemctl show` printed with LC_ALL=C and TZ=UTC0; None for an empty one."""
    found = _STAMP.match(text.strip())
    if not found:
        return None
    try:
        return datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
