"""How the same lines reach us: through loggers, containers, terminals, mailers and issue trackers. (name -> text)."""

from __future__ import annotations

import html
import json
import re
import textwrap
from collections.abc import Callable, Mapping

Layout = Callable[[str], str]


def _each(change: Callable[[str], str]) -> Layout:
    return lambda text: "\n".join(change(line) for line in text.split("\n"))


def _wrapped(text: str) -> str:
    """A mailer's hard wrap of long log records; tables and short lines stay as they are."""
    lines = []
    for line in text.split("\n"):
        lines += textwrap.wrap(line, 100, break_long_words=False) if "msg=" in line and len(line) > 100 else [line]
    return "\n".join(lines)


LAYOUTS: Mapping[str, Layout] = {
    "journal": _each(lambda line: f"Jan 15 10:34:34 gpuhost ollama[1234]: {line}"),
    "journal-german": _each(lambda line: f"Mär 03 10:34:34 gpuhost ollama[1234]: {line}"),
    "journal-french": _each(lambda line: f"févr. 03 10:34:34 gpuhost ollama[1234]: {line}"),
    "journal-chinese": _each(lambda line: f"10月 14 12:47:30 gpu ollama[24746]: {line}"),
    "journal-short-iso": _each(lambda line: f"2026-01-15T10:34:34+0100 gpuhost ollama[1234]: {line}"),
    "journal-json": _each(lambda line: json.dumps({"_PID": "1234", "MESSAGE": line, "SYSLOG_IDENTIFIER": "ollama"})),
    "docker-timestamps": _each(lambda line: f"2026-01-15T10:34:34.123456789Z {line}"),
    "docker-json-file": _each(
        lambda line: json.dumps({"log": line + "\n", "stream": "stderr", "time": "2026-01-15T10:34:34.1Z"})
    ),
    "compose": _each(lambda line: f"ollama-1  | {line}"),
    "compose-timestamps": _each(lambda line: f"ollama-1  | 2026-01-15T10:34:34.123456789Z {line}"),
    "kubectl-prefix": _each(lambda line: f"[pod/ollama-7d9f/ollama] {line}"),
    "containerd": _each(lambda line: f"2026-01-15T10:34:34.123456789+01:00 stderr F {line}"),
    "windows": lambda text: text.replace("\n", "\r\n"),
    "colours": _each(lambda line: f"\x1b[32m{line}\x1b[0m"),
    "markdown": lambda text: (
        f"### What is the issue?\n\nIt does not work.\n\n```shell\n{text}\n```\n\n### OS\n\nLinux\n"
    ),
    "quoted": _each(lambda line: f"> {line}"),
    "quoted-twice": _each(lambda line: f">> {line}"),
    "quoted-tight": _each(lambda line: line if line.startswith(">") else f">{line}"),
    "journal-short-unix": _each(lambda line: f"1768473274.123456 gpuhost ollama[1234]: {line}"),
    "spaced-stamps": _each(lambda line: f"2026-01-15 10:34:34.123 {line}"),
    "stamps-in-brackets": _each(lambda line: f"[2026-01-15 10:34:34] {line}"),
    "stamps-and-bars": _each(lambda line: f"2026-01-15 10:34:34 | {line}"),
    "grep": _each(lambda line: f"logs/server.log:{line}"),
    "grep-numbered": _each(lambda line: f"logs/server.log:17:{line}"),
    "backticks": _each(lambda line: f"`{line}`"),
    "entities": lambda text: html.escape(text),
    "typographic": lambda text: re.sub(r'"([^"\n]*)"', "\u201c\\1\u201d", text),
    "hard-spaces": lambda text: text.replace("  ", "\u00a0 "),
    "byte-order-mark": lambda text: f"\ufeff{text}",
    "indented": _each(lambda line: f"    {line}"),
    "blank-lines": lambda text: text.replace("\n", "\n\n"),
    "wrapped": _wrapped,
}
