"""A script's answer from a host, and the two parts of a proof's answer. Pure: no pyinfra, no connection."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ongpu.host.snapshot import HostSnapshot
from ongpu.probe.decode import decode

PROBE_SECONDS = 120
NOT_LOOKED_AT = HostSnapshot.unreadable("not looked at yet")
_FIRST_LINE = re.compile(r"^@@ongpu \d+ ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` is standard output, ASCII, newline-separated. `failure` says in words why there is no trustworthy
    text: a lost connection, a time limit, a refused sudo; empty when the transport did its work."""

    text: str
    failure: str = ""


def read(answer: Answer) -> HostSnapshot:
    """The snapshot in a probe's answer. Cut off half way it still says what came through."""
    if answer.failure and "@@ongpu" not in answer.text:
        return HostSnapshot.unreadable(answer.failure, _what_would_allow(answer.failure))
    return decode(answer.text)


def divide(answer: Answer) -> tuple[Answer, Answer]:
    """The load script's answer and the probe's: each begins with its own first line."""
    starts = [match.start() for match in _FIRST_LINE.finditer(answer.text)]
    if len(starts) < 2:
        return answer, Answer("", answer.failure or "the proof's answer was cut off")
    return Answer(answer.text[: starts[1]], answer.failure), Answer(answer.text[starts[1] :], answer.failure)


def reason(stdout: str, stderr: str) -> str:
    """Why a script failed, as far as it says so itself."""
    return _last_line(stderr) or _last_line(stdout) or "the shell failed silently"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return lines[-1][:300] if lines else ""


def _what_would_allow(failure: str) -> str:
    if "sudo" in failure or "password" in failure:
        return "allow the user to run `sudo -n sh`, or connect as root"
    return ""
