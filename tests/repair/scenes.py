"""Hosts that went wrong after they were configured, and what the rules say of them."""

from __future__ import annotations

from ongpu.host.result import Finding
from ongpu.plan.context import Context
from ongpu.plan.types import Interrupts, Limits, Now
from ongpu.repair.judge import Look
from ongpu.repair.proposal import Proposal, proposals
from ongpu.spec.model import HostSpec
from tests.plan.builders import TUESDAY, configured_host, spec
from tests.plan.world import World

OTHERS = "/etc/systemd/system/ollama.service.d/90-local.conf"
FOUND_GPU = (
    '1.0 time=2026-11-24T08:00:30Z level=INFO source=types.go:32 msg="inference compute" id=GPU-1 library=CUDA '
    'compute=8.9 name=CUDA0 description="NVIDIA GeForce RTX 4060" total="8.0 GiB" available="7.7 GiB"'
)


def hidden(**variables: str) -> World:
    """Somebody's drop-in hides the GPUs, and the service runs with it."""
    host = configured_host(declared=spec(models={}))
    host.other_drop_ins[OTHERS] = variables or {"CUDA_VISIBLE_DEVICES": "-1"}
    host._start()
    host.journal = (FOUND_GPU,)
    return host


def context(host: World, declared: HostSpec | None = None, allowed: Interrupts = Interrupts.RESTART) -> Context:
    limits = Limits(allow_restart=allowed >= Interrupts.RESTART, allow_reboot=allowed >= Interrupts.REBOOT)
    return Context(spec=declared or spec(models={}), snapshot=host.snapshot(), now=Now(TUESDAY), limits=limits)


def findings(host: World) -> tuple[Finding, ...]:
    return Look(host.snapshot()).diagnosis.findings


def proposed(
    host: World, cause: str, declared: HostSpec | None = None, allowed: Interrupts = Interrupts.RESTART
) -> Proposal:
    """For the finding with this cause, which must be there."""
    look = Look(host.snapshot())
    found = [finding for finding in look.diagnosis.findings if finding.cause == cause]
    assert found, [finding.cause for finding in look.diagnosis.findings]
    return proposals(context(host, declared, allowed), look.seen, found, allowed)[0]
