"""Parts of the HostSnapshot as pyinfra facts of their own, each at the price of its own section of the probe.

Every fact is `{"state": "known", "value": {...}}`, or `absent`/`unreadable` with `why`: a tool that is missing or a
refused permission is never a default value. Nothing on the host is changed; secrets are redacted.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyinfra.api.facts import FactBase

from ongpu.host import codec
from ongpu.host.redact import redact
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe.decode import decode
from ongpu.probe.script import build
from ongpu.probe.section import Section
from ongpu.probe.sections import api, ollama, service


class _Part(FactBase[dict[str, Any]]):
    section: ClassVar[Section]

    def command(self) -> str:
        return build((self.section,))

    def process(self, output: list[str]) -> dict[str, Any]:
        return self._of(decode("\n".join(output)))

    @classmethod
    def _of(cls, snapshot: HostSnapshot) -> dict[str, Any]:
        part: dict[str, Any] = codec.dump(redact(snapshot))["snapshot"][cls.section.name]
        return part


class Service(_Part):
    """
    ollama.service as systemd runs it, the environment that its process really has, and its runners.

    ```json
    {"state": "known", "value": {"active_state": "active", "main": {"state": "known", "value": {"pid": 725}}}}
    ```
    """

    section = service.SECTION


class Install(_Part):
    """
    Which Ollama is installed: binaries, library trees, ongpu's releases, the account, snap or container.

    ```json
    {"state": "known", "value": {"kept": ["0.24.0", "0.32.15"], "packaging": []}}
    ```
    """

    section = ollama.SECTION


class Models(_Part):
    """
    What Ollama's API says: its version, the models in the store, and those that are loaded.

    ```json
    {"state": "known", "value": {"version": {"state": "known", "value": "0.32.15"}, "loaded": {"state": "known"}}}
    ```
    """

    section = api.SECTION
