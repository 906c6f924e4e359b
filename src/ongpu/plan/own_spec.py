"""What is declared for a host as a fleet file of its own, for the check that a host runs on itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import yaml

from ongpu.host.paths import HEADER, WATCH_KEY
from ongpu.spec.model import HostSpec

# The check itself is seen to from outside: one that does not run cannot say so.
_NOT_HERE = {"name", "groups", "ssh", "origin", "rollout", "watch"}


def own_fleet_file(spec: HostSpec) -> str:
    """YAML that `spec.load` reads back as the same host, reached without SSH. Holds the environment's secrets."""
    body = spec.model_dump(by_alias=True, exclude_unset=True, exclude=_NOT_HERE)
    if spec.driver.repository.key_text and spec.driver.manage:
        body["driver"]["repository"]["key"] = WATCH_KEY
    releases = body.pop("releases", None)
    fleet: dict[str, Any] = {"version": 1, "hosts": {"@local": _plain(body)}}
    if releases:
        fleet["releases"] = _plain(releases)
    text = yaml.dump(fleet, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"# {HEADER}: what is declared for {spec.name}, from the fleet's inventory. Change it there.\n{text}"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # the loader refuses them


def _plain(value: Any) -> Any:
    """Only what YAML has; durations as the seconds that the loader takes."""
    match value:
        case timedelta():
            return f"{int(value.total_seconds())}s"
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case _:
            return value
