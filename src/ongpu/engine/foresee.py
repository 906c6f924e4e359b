"""What is known of the declared models before anything is downloaded or restarted for them: one round trip, and only
where a plan is about to do that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ongpu.engine.ahead import look_ahead, place_on
from ongpu.engine.remote import run_script
from ongpu.fit.foreseen import Foreseen
from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.endpoint import api_url
from ongpu.spec.model import HostSpec

if TYPE_CHECKING:
    from pyinfra.api.host import Host


def foresee(host: Host, spec: HostSpec, snapshot: HostSnapshot) -> dict[str, Foreseen]:
    """By declared name. One round trip, a second where a header is longer than its first 64 KiB. Never raises for what
    a host or a registry answers."""
    origin = {name: model.from_ for name, model in spec.models.items()}
    place = place_on(snapshot, api_url(spec.ollama.listen), spec.ollama.models_dir)
    return look_ahead(lambda script, seconds: run_script(host, script, seconds), origin, place, snapshot)
