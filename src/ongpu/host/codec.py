"""HostSnapshot <-> JSON. The JSON is the support bundle, the test recording and the replay format."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ongpu.errors import ConfigError
from ongpu.host.snapshot import HostSnapshot

SCHEMA_VERSION = 1


@cache
def _adapter() -> TypeAdapter[HostSnapshot]:
    return TypeAdapter(HostSnapshot)


def dump(snapshot: HostSnapshot, host: str = "") -> dict[str, Any]:
    """`{"schema_version": 1, "host": NAME, "snapshot": {...}}`, ready for json.dumps."""
    body = _adapter().dump_python(snapshot, mode="json")
    return {"schema_version": SCHEMA_VERSION, "host": host, "snapshot": body}


def load(data: object, where: str = "snapshot") -> HostSnapshot:
    """The inverse of `dump`. Raises ConfigError with the first offending key."""
    if not isinstance(data, dict) or "snapshot" not in data:
        raise ConfigError("not an ongpu snapshot: expected an object with the key `snapshot`", where)
    if data.get("schema_version") != SCHEMA_VERSION:
        raise ConfigError(f"schema_version {data.get('schema_version')!r} is not {SCHEMA_VERSION}", where)
    try:
        return _adapter().validate_python(data["snapshot"])
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"not an ongpu snapshot: {path}: {first['msg']}", where) from None
