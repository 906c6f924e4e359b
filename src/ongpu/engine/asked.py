"""What the load script printed: one Asked per declared model. Never raises; what is missing is `unknown`."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from ongpu.engine.loading import NAME
from ongpu.probe import frame
from ongpu.probe.output import Output, Part
from ongpu.proof import names
from ongpu.proof.case import Asked, Generation, Outcome, Shape

# \nFROM /usr/share/ollama/.ollama/models/blobs/sha256-55cb...     (the first one: a projector follows the weights)
_FROM = re.compile(r"\\nFROM ([^\"\\]{0,4096}sha256[-:][0-9a-f]{1,128})")
# "llama.block_count":6
_BLOCKS = re.compile(r"\"(?![^\"]*\.(?:vision|audio)\.)[^\"]{1,100}\.block_count\": *(\d{1,6})")
# "qwen3moe.expert_count":128
_EXPERTS = re.compile(r"\"[^\"]{1,100}\.expert_count\": *(\d{1,6})")
# "name":"token_embd.weight","type":"Q4_K","shape":[4096,128256]}
_TENSOR = re.compile(r"\"name\": *\"[a-z_]+\.\w+\", *\"type\": *\"(\w{1,20})\", *\"shape\": *\[([\d, ]{1,100})\]")
# Bits per weight of ggml's tensor types (ggml/src/ggml-common.h: bytes of a block by its weights)
_BITS = {
    "F32": 32.0,
    "F16": 16.0,
    "BF16": 16.0,
    "Q8_0": 8.5,
    "Q4_0": 4.5,
    "Q4_1": 5.0,
    "Q5_0": 5.5,
    "Q5_1": 6.0,
    "Q2_K": 2.625,
    "Q3_K": 3.4375,
    "Q4_K": 4.5,
    "Q5_K": 5.5,
    "Q6_K": 6.5625,
    "IQ1_S": 1.5625,
    "IQ1_M": 1.75,
    "IQ2_XXS": 2.0625,
    "IQ2_XS": 2.3125,
    "IQ2_S": 2.5625,
    "IQ3_XXS": 3.0625,
    "IQ3_S": 3.4375,
    "IQ4_NL": 4.5,
    "IQ4_XS": 4.25,
    "MXFP4": 4.25,
}
_BUSY = ("499", "503")  # the client or the queue was in the way, not the model


def asked(text: str, count: int) -> tuple[Asked, ...]:
    """One entry per declared model, in their order. `text`: the script's whole answer."""
    frames = frame.split(text)
    output = frames.outputs.get(NAME)
    if output is None:
        return (Asked(why=f"Ollama was not asked: {frames.trouble or 'the answer was cut off'}"[:500]),) * count
    if output["client"].missing:
        return (Asked(why="Ollama was not asked: no HTTP client; to allow it: install curl (or wget)"),) * count
    return tuple(_one(output, number) for number in range(count))


def _one(output: Output, number: int) -> Asked:
    shown = output[f"show:{number}"]
    found = _FROM.search(shown.text)
    facts: dict[str, Any] = {"blob": names.blob(found[1]) if found else "", "shape": shape(shown.text)}
    facts |= _runner(output[f"runner:{number}"])
    facts["expires"] = _expires(output[f"expires:{number}"])
    decision = output[f"decision:{number}"]
    word, _, rest = decision.text.strip().partition(" ")
    if not decision.ok:
        return Asked(why="Ollama was not asked in time", **facts)
    match word, rest:
        case ("resident", ""):
            return Asked(outcome="resident", **facts)
        case ("resident", "unasked"):
            why = "its context length is not told, and another one would load it anew, so it was asked for nothing"
            return Asked(outcome="resident", why=why, **facts)
        case ("missing", ""):
            return Asked(outcome="not loaded", why="it is not loaded (--load loads it for the proof)", **facts)
        case ("evicts", _):
            return Asked(outcome="refused", why=f"it is not loaded, and loading it would evict {rest}", **facts)
        case ("late", _):
            return Asked(outcome="refused", why="it is not loaded, and no time was left to load it", **facts)
        case ("resident" | "missing", "load"):
            return _answered(output, number, "resident" if word == "resident" else "loaded", facts)
        case _:
            return Asked(why=f"/api/ps: {_said(output[f'ps:{number}'])}", **facts)


def _runner(part: Part) -> dict[str, Any]:
    # answers 4711 40001    silent 4711 40001 curl: (28) Operation timed out after 5002 milliseconds    gone
    line = part.lines[0][:300] if part.lines else ""
    word = line.partition(" ")[0]
    return {"runner": word, "runner_line": line} if word in ("answers", "silent", "gone") else {}


def _expires(part: Part) -> str:
    # 2026-11-24T15:34:02.412345678+01:00
    line = part.lines[0].strip() if part.lines else ""
    return line if re.fullmatch(r"[0-9TZ:.+-]{10,40}", line) else ""


def _answered(output: Output, number: int, success: Outcome, facts: dict[str, Any]) -> Asked:
    embedding = f"embed:{number}" in output.parts
    kind: Literal["text", "embedding"] = "embedding" if embedding else "text"
    part = output[f"{'embed' if embedding else 'generate'}:{number}"]
    body, status = _body(part)
    if "error" in body or status not in ("", "200"):
        why = f"{f'HTTP {status}: ' if status else ''}{body.get('error') or 'no reason given'}"[:500]
        if status in _BUSY or "maximum pending requests" in why:
            return Asked(outcome=_after_trouble(success), why=why, kind=kind, trouble=why, **facts)
        return Asked(outcome="failed", why=why, kind=kind, **facts)
    if _http_error(part):
        return Asked(outcome="failed", why=_said(part), kind=kind, **facts)
    if part.trouble or not _is_whole(body, embedding):
        why = f"the answer is missing: {_said(part)}" if part.trouble else "the answer is not complete"
        return Asked(outcome=_after_trouble(success), why=why, kind=kind, trouble=why, **facts)
    return Asked(outcome=success, kind=kind, generation=None if embedding else _generation(body), **facts)


def _after_trouble(success: Outcome) -> Outcome:
    """A load whose answer did not come may have been done or not; a resident model stays where it was."""
    return "resident" if success == "resident" else "unknown"


def _is_whole(body: dict[str, Any], embedding: bool) -> bool:
    """HTTP 200 can carry `done: false` without counts, when the runner's stream broke (0.33.0)."""
    return bool(body.get("embeddings")) if embedding else body.get("done") is True


def _generation(body: dict[str, Any]) -> Generation | None:
    tokens, nanoseconds = body.get("eval_count"), body.get("eval_duration")
    if type(tokens) is not int or type(nanoseconds) is not int or tokens < 0 or not 0 < nanoseconds < 1 << 62:
        return None
    read, spent = body.get("prompt_eval_count"), body.get("prompt_eval_duration")
    if type(read) is not int or type(spent) is not int or not (0 <= read < 1 << 32 and 0 < spent < 1 << 62):
        read = spent = 0
    return Generation(
        tokens=min(tokens, 1 << 32), nanoseconds=nanoseconds, prompt_tokens=read, prompt_nanoseconds=spent
    )


def _body(part: Part) -> tuple[dict[str, Any], str]:
    """The JSON object in an answer, and the HTTP status if it is told (curl: on the last line)."""
    last = part.text.rstrip("\n").rpartition("\n")[2]
    told = re.fullmatch(r"[1-9][0-9]{2}", last) is not None
    begin = part.text.find("{")
    if begin < 0:
        return {}, last if told else ""
    try:
        value, _ = json.JSONDecoder().raw_decode(part.text[begin:])
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}, last if told else ""


def _http_error(part: Part) -> bool:
    # wget: server returned error: HTTP/1.1 404 Not Found         (busybox 1.35, which drops the error's body)
    return "server returned error: HTTP/" in part.text


def _said(part: Part) -> str:
    if part.timed_out or part.rc == 28:
        return "no answer within the time limit"
    told = next((line for line in part.lines if "curl:" in line or "wget:" in line), "")
    return (told or part.trouble or " ".join(part.text.split()) or "no output")[:300]


def shape(text: str) -> Shape:
    """From the kept parts of /api/show."""
    blocks, experts = _BLOCKS.search(text), _EXPERTS.search(text)
    tensors = [(found[1], found[2]) for found in _TENSOR.finditer(text)]
    sizes = [_bytes(kind, dimensions) for kind, dimensions in tensors]
    known = [size for size in sizes if size is not None]
    return Shape(
        input_bytes=sum(known) if known and len(known) == len(sizes) else None,
        input_tensors=len(sizes),
        layers=int(blocks[1]) + 1 if blocks else None,
        experts=int(experts[1]) if experts else 0,
    )


def _bytes(kind: str, dimensions: str) -> int | None:
    bits = _BITS.get(kind.upper())
    if bits is None:
        return None
    count = 1
    for dimension in dimensions.split(","):
        if not dimension.strip().isdecimal():
            return None
        count *= int(dimension)
    return int(count * bits / 8) if count < 1 << 60 else None
