"""Takes secrets out of a snapshot before it leaves: support bundles, JSON reports, history.

Every text in the snapshot is looked at, wherever it stands, so that a field added later is covered too. Gone are:
values of variables whose name says secret, passwords in URLs, proxies' credentials, values of secret options on
command lines, and authorization headers. What a file's hash says about its content stays: it is no secret here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from ongpu.host.snapshot import HostSnapshot

REDACTED = "<redacted>"

# HF_TOKEN, AWS_SECRET_ACCESS_KEY, PGPASSWORD, OPENAI_API_KEY, SSHKEY; not TOKENIZERS_PARALLELISM, not KEYBOARD.
_NAME = re.compile(r"TOKEN(?!IZ)|SECRET|PASSW(?:OR)?D|PASSPHRASE|CREDENTIAL|API_?KEY|KEYS?(?:_|$)", re.IGNORECASE)
# The same in lower case, where `key=` and `tokens=5` are a log's own fields.
_LOWER_NAME = re.compile(r"token(?!iz|s)|secret|passw(?:or)?d|passphrase|credential|api_?key")
_PROXY = re.compile(r"proxy$", re.IGNORECASE)
# https://user:password@proxy:3128/   https://token@host/
_USERINFO = re.compile(r"(?<=://)[^/\s@\"'<>]{1,500}@")
# HTTPS_PROXY=user:password@proxy:3128         HTTP_PROXY:user:password@proxy:3128 (in Go's map[...])
_PROXY_VALUE = re.compile(r"(?i:(?<=_proxy=)|(?<=_proxy:))[^/\s@\"'<>\]]{1,500}@")
# HF_TOKEN=abc      HF_TOKEN:abc (in Go's map[...])
_ASSIGNED = re.compile(r"(?<![A-Za-z0-9_])([A-Za-z][A-Za-z0-9_]{0,100})([=:])")
# A value in quotes of its own, within quotes around the whole assignment ("HF_TOKEN=a b"), or up to the next space
# (without what closes a quote or Go's map[...] around it).
_IN_QUOTES = re.compile(r"""\"(?:[^\"\\]|\\.)*\"|'[^']*'""")
_UP_TO_QUOTE = {'"': re.compile(r"(?:[^\"\\]|\\.)*"), "'": re.compile(r"[^']*")}
_WORD = re.compile(r"\S*[^\s\"'\]]")
_REST = re.compile(r".*")
#     HF_TOKEN: abc                                     YAML: compose files, our own inventory
_YAML = re.compile(r"(?m)^([ \t]{0,40}(?:- )?([\"']?)([A-Z][A-Z0-9_]{0,100})\2: {1,4})(?![A-Z0-9_]{1,100}:)\S.*$")
# "api_key": "abc"
_JSON = re.compile(r"(\"([A-Za-z][A-Za-z0-9_-]{0,100})\"\s{0,4}:\s{0,4})\"(?:[^\"\\]|\\.)*\"")
# Authorization: Bearer abc           Bearer abc
_BEARER = re.compile(
    r"(?i)\b((?:authorization|x-api-key)\s{0,4}[:=]\s{0,4}|bearer\s{1,4})(?:(?:bearer|basic)\s{1,4})?[^\s\"',]+"
)
# --api-key abc     --hf-token=abc     -hft abc (llama-server)
_HIDING_OPTIONS = r"-{1,2}[\w-]{0,40}(?:api-key|token|password|passwd|secret)|-hft"
_OPTION = re.compile(rf"(?i)(?<!\S)({_HIDING_OPTIONS})(=|\s+)[^\s\"']+")
_OPTION_ALONE = re.compile(rf"(?i)^(?:{_HIDING_OPTIONS})$")


def redact(snapshot: HostSnapshot) -> HostSnapshot:
    """The same snapshot with `<redacted>` in place of secrets. Redacting twice changes nothing more."""
    return cast(HostSnapshot, _value(snapshot))


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    return bool(_NAME.search(name))


def redact_text(text: str) -> str:
    """One text without secrets."""
    if not any(sign in text for sign in ("=", ":", "-", "earer ", "EARER ")):
        return text
    text = _USERINFO.sub(REDACTED + "@", text)
    text = _PROXY_VALUE.sub(REDACTED + "@", text)
    text = _BEARER.sub(lambda found: found[1] + REDACTED, text)
    text = _OPTION.sub(lambda found: found[1] + found[2] + REDACTED, text)
    text = _JSON.sub(lambda found: f'{found[1]}"{REDACTED}"' if is_secret(found[2]) else found[0], text)
    text = _YAML.sub(lambda found: f"{found[1]}{REDACTED}" if is_secret(found[3]) else found[0], text)
    return _assignments(text)


def redact_variable(name: str, value: str) -> str:
    """A variable's value: gone when the name says secret, a proxy's credentials gone."""
    if not value:
        return value
    if is_secret(name):
        return REDACTED
    if _PROXY.search(name) and "@" in value:
        scheme, _, rest = value.rpartition("://")
        return (
            f"{scheme}://{REDACTED}@{rest.rpartition('@')[2]}" if scheme else f"{REDACTED}@{value.rpartition('@')[2]}"
        )
    return redact_text(value)


def _assignments(text: str) -> str:
    """`NAME=value` and, for names in capitals, `NAME:value`, with the values of secret names gone."""
    pieces: list[str] = []
    at = 0
    for found in _ASSIGNED.finditer(text):
        name, sign, start = found[1], found[2], found.end()
        if found.start() < at or not (is_secret(name) if name.isupper() else _LOWER_NAME.search(name.lower())):
            continue
        end = _value_end(text, found.start(), start)
        value = text[start:end]
        if not value or (not name.isupper() and (sign == ":" or value.isdecimal())):
            continue
        quote = value[0] if value[0] in "\"'" else ""
        pieces += [text[at:start], f"{quote}{REDACTED}{quote}"]
        at = end
    return "".join([*pieces, text[at:]])


def _value_end(text: str, name_start: int, start: int) -> int:
    if quoted := _IN_QUOTES.match(text, start):
        return quoted.end()
    around = _UP_TO_QUOTE.get(text[name_start - 1]) if name_start else None
    if around is None and text[start : start + 1] in ('"', "'"):
        around = _REST  # a quote that is never closed: better too much than a secret
    found = (around or _WORD).match(text, start)
    return found.end() if found else start


def _value(value: Any) -> Any:
    match value:
        case str():
            return redact_text(value)
        case tuple():
            return _words(value)
        case Mapping():
            return {
                name: redact_variable(name, item) if isinstance(item, str) else _value(item)
                for name, item in value.items()
            }
        case _ if is_dataclass(value) and not isinstance(value, type):
            changed = {field.name: _value(getattr(value, field.name)) for field in fields(value)}
            return replace(value, **changed)
        case _:
            return value


def _words(words: tuple[Any, ...]) -> tuple[Any, ...]:
    """A tuple; in a command line the word after `--api-key` is the secret."""
    clean = []
    hide = False
    for word in words:
        clean.append(REDACTED if hide and isinstance(word, str) else _value(word))
        hide = isinstance(word, str) and bool(_OPTION_ALONE.match(word))
    return tuple(clean)
