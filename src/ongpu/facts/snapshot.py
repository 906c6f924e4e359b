"""The HostSnapshot as a pyinfra fact."""

from __future__ import annotations

from typing import Any

from pyinfra.api.facts import FactBase

from ongpu.host import codec
from ongpu.host.redact import redact
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe.decode import decode, script


class Snapshot(FactBase[dict[str, Any]]):
    """
    Everything that ongpu's probe reads from a host, in one command, as JSON-able data; secrets are redacted.

    ```json
    {"schema_version": 1, "host": "", "snapshot": {"system": {"state": "known", "value": {"os_id": "debian"}}}}
    ```

    Unlike ongpu's operations, which send the probe on standard input, a fact's command stands on the command
    line: pyinfra gives facts no standard input.
    """

    def command(self) -> str:
        return script()

    def process(self, output: list[str]) -> dict[str, Any]:
        return codec.dump(redact(decode("\n".join(output))))

    @staticmethod
    def default() -> dict[str, Any]:
        return codec.dump(HostSnapshot.unreadable("the host gave no output"))
