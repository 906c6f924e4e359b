"""What a host tells of models before anything is downloaded or restarted for them. Knows no connection.

A model in the store is asked of Ollama (/api/show). Of one that is not, the host fetches the manifest and the first
bytes of the weights from the registry: the host, because that is who will pull it, through its own network, name server
and proxy; the controller may reach no registry, or another one. A header is named by the digest of its file, so it is
fetched once for the whole fleet.
"""

from __future__ import annotations

import base64
import binascii
import json
import shlex
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ongpu.engine.answer import Answer
from ongpu.engine.loading import POST
from ongpu.fit.description import Description
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.foreseen import Foreseen, of_beginning, of_show
from ongpu.fit.manifest import MEDIA_TYPE, Manifest, parse, place_of
from ongpu.host.model_name import full
from ongpu.host.reading import Known, value_or_none
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe import endpoint, frame
from ongpu.probe.output import Output, Part
from ongpu.probe.script import build
from ongpu.probe.section import Section

NAME = "foresee"
SECONDS = 90  # for all models together
FIRST_BYTES = 64 * 1024  # hold every key that memory depends on
MOST_BYTES = 16 * 1024 * 1024
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY")

# get URL SECONDS [OPTION...]: with the service's proxy, following redirects. manifest NUMBER BASE TAG KNOWN: the
# manifest, what the store has of its layers, and the first bytes of its weights unless their digest is in KNOWN. A
# registry that could not be reached once is not asked again.
_SHELL = r"""
get() { u=$1 s=$2; shift 2; curl -q -L --globoff --connect-timeout 10 --max-time "$s" "$@" "$u"; }
packed() {
  get "$1" "$3" -sf -r "0-$(($2 - 1))" 2>/dev/null | head -c "$2" | gzip -c | base64 | tr -d '\n' | fold -w 60000
}
told() { printf '%s\n' "$text"; return "$rc"; }
weights() { printf '%s' "$text" | tr '{' '\n' | grep -F 'ollama.image.model"' |
  sed -n 's/.*"digest": *"\(sha256:[0-9a-f]\{64\}\)".*/\1/p' | head -n 1; }
kept() { for hex in $(printf '%s' "$text" | grep -oE 'sha256:[0-9a-f]{64}' | sed 's/sha256://'); do
  for file in "$STORE/blobs/sha256-$hex" "$STORE/blobs/sha256-$hex-partial"; do
    if [ -f "$file" ]; then printf '%s %s\n' "$hex" "$(du -k "$file" | awk '{ print $1 }')"; fi
  done
done; }
down=' '
manifest() {
  case $down in *" ${2%%/v2/*} "*) return ;; esac
  text=$(get "$2/manifests/$3" 30 -sS -H "Accept: $ACCEPT" -w '\n%{http_code}\n' 2>&1); rc=$?
  p "manifest:$1" told
  case $rc in 5 | 6 | 7 | 28 | 35 | 60) down="$down${2%%/v2/*} "; return ;; 0) ;; *) return ;; esac
  p "kept:$1" kept
  digest=$(weights)
  case $4 in *"$digest"*) return ;; esac
  header "$1" "$2/blobs/$digest" "$FIRST"
}
header() { p "header:$1" packed "$2" "$3" 60; }
show() { text=$(post "$URL/api/show" "$2" 20 2>&1); rc=$?; p "show:$1" told; }
"""


@dataclass(slots=True)
class _Fleet:
    """Descriptions by the digest of the weights: content does not change under a digest."""

    headers: dict[str, Description]


_fleet = _Fleet({})


Ask = Callable[[str, int], Answer]  # a script and the seconds it may take -> what the host answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a host's Ollama is: its API, its directory of models, the environment of its service."""

    url: str
    store: str
    environment: Mapping[str, str]


def place_on(snapshot: HostSnapshot, url: str, models_dir: str | None = None) -> Place:
    """`models_dir`: where the models are declared to be; None = where the service has them."""
    environment = _environment(snapshot)
    return Place(url=url, store=models_dir or _store(environment, snapshot), environment=environment)


def look_ahead(ask: Ask, models: Mapping[str, str | None], place: Place, snapshot: HostSnapshot) -> dict[str, Foreseen]:
    """By name; `models`: name -> the model that it is made from, None = none. One round trip, a second where a header
    is longer than its first 64 KiB. Never raises for what a host or a registry answers."""
    stored = _stored(snapshot)
    origin = {name: name if full(name) in stored or not base else base for name, base in models.items()}
    asked = list(dict.fromkeys(origin.values()))
    known = " ".join(_fleet.headers)
    lines = [_line(number, name, full(name) in stored, known) for number, name in enumerate(asked)]
    output = _ask(ask, place, lines)
    if isinstance(output, str):
        return {name: Foreseen(why=output) for name in origin}
    found: dict[str, Foreseen] = {}
    longer: list[tuple[str, Manifest, int]] = []
    for number, name in enumerate(asked):
        if full(name) in stored:
            found[name] = _shown(name, output[f"show:{number}"], stored[full(name)])
            continue
        found[name], manifest, more = _offered(name, output, number)
        if manifest and more:
            longer.append((name, manifest, more))
    if longer:
        _read_on(ask, place, longer, found)
    return {name: _named(found[base], name) for name, base in origin.items()}


def _named(found: Foreseen, name: str) -> Foreseen:
    return replace(found, description=replace(found.description, name=name)) if found.description else found


def _line(number: int, name: str, is_stored: bool, known: str) -> str:
    if is_stored:
        return f"show {number} {shlex.quote(json.dumps({'model': name}))}\n"
    place = place_of(name)
    if place is None:
        return ""
    words = (str(number), place.base, place.tag, known)
    return f"manifest {' '.join(shlex.quote(word) for word in words)}\n"


def _ask(ask: Ask, place: Place, lines: list[str]) -> Output | str:
    """The output of these calls, or why there is none."""
    answer = ask(text(place, lines), SECONDS + 30)
    output = frame.split(answer.text).outputs.get(NAME)
    if output is None:
        return answer.failure or "the answer was cut off"
    return "curl is not installed" if output["client"].missing else output


def text(place: Place, lines: list[str]) -> str:
    """The script: POSIX sh that changes nothing."""
    exports = "".join(
        f"{name}={shlex.quote(place.environment[name])}; export {name}\n"
        for name in _PROXIES
        if place.environment.get(name)
    )
    head = (
        f"URL={shlex.quote(place.url)}\nSTORE={shlex.quote(place.store)}\n"
        f"ACCEPT={MEDIA_TYPE} FIRST={FIRST_BYTES}\nneed client curl || return 0\n"
    )
    shell = "".join([endpoint.HTTP, POST, _SHELL, exports, head, *lines])
    section = Section(name=NAME, shell=shell, parse=lambda output: Known(output, NAME), seconds=SECONDS)
    return build((replace(section, max_bytes=64_000_000),))


def _offered(name: str, output: Output, number: int) -> tuple[Foreseen, Manifest | None, int]:
    """What the registry offers, and how many bytes of its header are wanted more."""
    part = output[f"manifest:{number}"]
    body, status = _split(part)
    if status == "404":
        return Foreseen(kind="absent", why="the registry knows no such model"), None, 0
    if part.trouble or status != "200":
        why = f"HTTP {status}" if status and status != "000" else _last(part) or "the registry could not be reached"
        return Foreseen(why=f"the registry does not answer: {why}"), None, 0
    try:
        manifest = parse(body, name)
    except InsufficientFacts as error:
        return Foreseen(why=str(error)), None, 0
    kept = _kept(output[f"kept:{number}"])
    missing = sum(max(0, layer.size_bytes - kept.get(layer.digest[7:], 0)) for layer in manifest.layers)
    facts = Foreseen(
        kind=manifest.kind, digests=manifest.digests, size_bytes=manifest.size_bytes, missing_bytes=missing
    )
    if manifest.kind != "gguf":
        return facts, None, 0
    return _described(facts, name, manifest, output[f"header:{number}"])


def _described(facts: Foreseen, name: str, manifest: Manifest, part: Part) -> tuple[Foreseen, Manifest | None, int]:
    weights = manifest.of("model")[0]
    if known := _fleet.headers.get(weights.digest):
        return replace(facts, description=known), None, 0
    data = unpacked(part)
    projector = sum(layer.size_bytes for layer in manifest.of("projector"))
    try:
        if not data:
            raise InsufficientFacts("the registry did not give the beginning of the weights")
        description, more = of_beginning(name, data, weights.size_bytes, projector)
    except InsufficientFacts as error:
        return replace(facts, why=str(error)), None, 0
    if description and not more:
        _fleet.headers[weights.digest] = description
    why = "" if description else "the beginning of its header is not enough"
    return replace(facts, description=description, why=why), manifest, min(more, MOST_BYTES)


def _read_on(ask: Ask, place: Place, longer: list[tuple[str, Manifest, int]], found: dict[str, Foreseen]) -> None:
    """Whole headers, for the exact bytes of every tensor; where that fails, what the beginning told has to do."""
    lines = []
    for number, (name, manifest, more) in enumerate(longer):
        registry = place_of(name)
        if registry:
            url = f"{registry.base}/blobs/{manifest.of('model')[0].digest}"
            lines.append(f"header {number} {shlex.quote(url)} {more}\n")
    output = _ask(ask, place, lines)
    if isinstance(output, str):
        return
    for number, (name, manifest, _) in enumerate(longer):
        better, _, more = _described(found[name], name, manifest, output[f"header:{number}"])
        if better.description and not more:
            found[name] = better


def unpacked(part: Part) -> bytes:
    """gzip in base64; empty for anything else. No more than MOST_BYTES come out."""
    try:
        raw = base64.b64decode("".join(part.lines), validate=True)
        return zlib.decompressobj(31).decompress(raw, MOST_BYTES)
    except (binascii.Error, ValueError, zlib.error):
        return b""


def _shown(name: str, part: Part, stored_bytes: int) -> Foreseen:
    body, status = _split(part)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if status != "200" or not isinstance(value, dict):
        return Foreseen(why=f"/api/show: {_last(part) or 'no answer'}")
    return of_show(name, value, stored_bytes)


def _kept(part: Part) -> dict[str, int]:
    """hex -> bytes on the disk. `fe05c35e... 4718596`: KiB that are allocated; a partial download is sparse."""
    found: dict[str, int] = {}
    for line in part.lines:
        hexed, _, kib = line.partition(" ")
        if kib.isdecimal() and len(kib) < 15:
            found[hexed] = max(found.get(hexed, 0), int(kib) * 1024)
    return found


def _split(part: Part) -> tuple[str, str]:
    """(body, HTTP status)."""
    body, _, status = part.text.rstrip("\n").rpartition("\n")
    return (body, status) if status.isdecimal() and len(status) == 3 else (part.text, "")


def _last(part: Part) -> str:
    return next((line.strip()[:200] for line in part.lines if "curl:" in line), part.trouble)


def _stored(snapshot: HostSnapshot) -> dict[str, int]:
    api = value_or_none(snapshot.api)
    models = value_or_none(api.models) if api else None
    return {full(model.name): model.size_bytes for model in models or ()}


def _environment(snapshot: HostSnapshot) -> Mapping[str, str]:
    service = value_or_none(snapshot.service)
    main = value_or_none(service.main) if service else None
    running = value_or_none(main.environ) if main else None
    return running if running is not None else service.environment if service else {}


def _store(environment: Mapping[str, str], snapshot: HostSnapshot) -> str:
    install = value_or_none(snapshot.ollama)
    account = value_or_none(install.account) if install else None
    home = account.home if account and account.home else "/usr/share/ollama"
    return environment.get("OLLAMA_MODELS") or f"{home}/.ollama/models"
