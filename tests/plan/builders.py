"""Hosts and specs that tests start from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ongpu.plan.build import RESOURCES, plan
from ongpu.plan.types import Limits, Now, Plan
from ongpu.spec.merge import merge
from ongpu.spec.model import HostSpec
from tests.plan.world import World

# An ed25519 key made for these tests; its secret half is gone.
KEY = """-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawU6CRYJKwYBBAHaRw8BAQdAaxYCPjavv+YW4R84BdvBTFgJRZQVojNWVddl
fq6T/tS0C29uZ3B1IHRlc3RziJAEExYIADgWIQSpoJQ22yZK17bbnoKFuW1XQC+s
PwUCawU6CQIbAwULCQgHAgYVCgkICwIEFgIDAQIeAQIXgAAKCRCFuW1XQC+sP6Ea
AQDgJqtSsszW0bAwSiFkpEvvNElkcbO+iksHfZ0K+dIX2wD/fgC8MLt7hTOL4yKS
UcgZtMl3N3cOvwOR3NzfkXMeWgc=
=ta4g
-----END PGP PUBLIC KEY BLOCK-----
"""
FINGERPRINT = "A9A09436DB264AD7B6DB9E8285B96D57402FAC3F"

TUESDAY = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SPEC: dict[str, Any] = {
    "name": "gpu01",
    "driver": {
        "branch": "580",
        "repository": {"url": "https://repo.example/debian12/x86_64/", "key": "key.asc", "key_text": KEY},
    },
    "ollama": {"release": "0.32.15", "env": {"OLLAMA_FLASH_ATTENTION": True}},
    "models": {"llama3.1:8b": {"context": 8192}},
    "releases": {"ollama": {"0.32.15": {"amd64": "sha256:" + "1" * 64, "from": "https://mirror.example/ollama"}}},
}


def spec(**over: Any) -> HostSpec:
    """SPEC with parts of it replaced: `spec(driver={"branch": "590"})`."""
    return HostSpec.model_validate(merge(SPEC, over))


def planned(
    host: World, declared: HostSpec | None = None, limits: Limits | None = None, at: datetime = TUESDAY
) -> Plan:
    return plan(declared or spec(), host.snapshot(), Now(at), limits or Limits())


def blank_host(**attributes: Any) -> World:
    """Just installed: a GPU, nothing of NVIDIA's or Ollama's."""
    return World(**attributes)


def configured_host(declared: HostSpec | None = None, **attributes: Any) -> World:
    """A blank host after a run of ours."""
    host = World()
    converge(host, declared or spec())
    for name, value in attributes.items():
        setattr(host, name, host.files | value if name == "files" else value)
    return host


def converge(host: World, declared: HostSpec, at: datetime = TUESDAY) -> None:
    """What the engine does: resource by resource, each planned anew, looked at again, and complete."""
    for resource in RESOURCES:
        todo = planned(host, declared, at=at).of(resource)
        assert not todo.blocked, todo.blocked
        assert not todo.deferred, todo.deferred
        for change in todo.changes:
            host.apply(change)
        left = planned(host, declared, at=at).of(resource)
        assert left.empty, f"{resource} is still planned: {left}"


def driver_by_hand(version: str = "550.54.14", **attributes: Any) -> World:
    """A .run installation: a loaded module without packages."""
    return World(loaded=version, uvm=True, runfile=True, **attributes)


def installed_by_script(version: str = "0.31.2", **attributes: Any) -> World:
    """Ollama's own install.sh: its unit, its binary, running; the driver is ours."""
    host = configured_host()
    host.files = {path: file for path, file in host.files.items() if "ollama" not in path}
    host.kept, host.current = set(), ""
    host.binary, host.exe = ("/usr/local/bin/ollama", version), "/usr/local/bin/ollama"
    host.fragment, host.loaded_unit = "/etc/systemd/system/ollama.service", False
    host.loaded_drop_in, host.process = "", {"PATH": "/usr/bin"}
    for name, value in attributes.items():
        setattr(host, name, value)
    return host


def packaged(**attributes: Any) -> World:
    """A distribution's package with its unit, running."""
    program = "/usr/bin/ollama"
    return installed_by_script(
        packaging=("deb",), foreign_program=program, exe=program, binary=None,
        fragment="/usr/lib/systemd/system/ollama.service", **attributes,
    )  # fmt: skip
