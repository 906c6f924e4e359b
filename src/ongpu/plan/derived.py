"""Models that are made on the host from another one, with parameters of their own (Ollama's /api/create).

Nothing in the API tells what a model was made of, so a file of ours says it: a line for each derived model with its
digest, a hash of its definition, and its base's digest. A model that somebody made anew, another definition, or a base
that has moved on is then seen in one look.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ongpu.host.model_name import full
from ongpu.host.ollama import Model
from ongpu.host.paths import DERIVED, HEADER
from ongpu.plan import shell
from ongpu.plan.context import Context
from ongpu.plan.endpoint import api_url
from ongpu.plan.files import content_of
from ongpu.plan.types import Change
from ongpu.spec.model import ModelSpec

# mine:latest 9f86d081... 60303ae22b99... 3fc9b689...
_LINE = re.compile(r"(\S+) ([0-9a-f]{1,64}) ([0-9a-f]{1,64}) ([0-9a-f]{1,64})")


@dataclass(frozen=True, slots=True)
class Made:
    """One line of the record: digests in hex."""

    digest: str
    definition: str
    base: str


def record(text: str) -> dict[str, Made]:
    """The record by name; lines that are none of it are left out."""
    found = (_LINE.fullmatch(line.strip()) for line in text.split("\n") if len(line) < 1000)
    return {line[1]: Made(line[2], line[3], line[4]) for line in found if line}


def parameters(spec: ModelSpec) -> dict[str, Any]:
    """As the API takes them; `context` is num_ctx."""
    return {**spec.parameters, **({"num_ctx": spec.context} if spec.context else {})}


def definition(spec: ModelSpec) -> str:
    """The same for the same base and parameters."""
    text = json.dumps([full(spec.from_ or ""), parameters(spec)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def change(context: Context, name: str, spec: ModelSpec, present: Mapping[str, Model]) -> Change | None:
    """None when it is as declared. Raises Halt where the record cannot be read."""
    base = full(spec.from_ or "")
    there, of = present.get(full(name)), present.get(base)
    made = record(content_of(context, DERIVED)).get(full(name))
    if there and of and made == Made(there.digest, definition(spec), of.digest):
        return None
    why = "" if there is None else " anew" if made else " anew (ongpu did not make the one that is there)"
    step = shell.run(
        f"make {name} from {spec.from_}",
        "create",
        seconds=700,
        API=api_url(context.spec.ollama.listen),
        MODEL=name,
        NAME=full(name),
        BASE=base,
        BODY=json.dumps({"model": name, "from": spec.from_, "parameters": parameters(spec)}),
        DEFINITION=definition(spec),
        RECORD=DERIVED,
        HEADER=HEADER,
    )
    settings = ", ".join(f"{key} {value}" for key, value in sorted(parameters(spec).items())) or "no parameters"
    return Change(resource="models", summary=f"make {name} from {spec.from_}{why}: {settings}", steps=(step,))
