"""Hardening of somebody else's unit that hides the GPU's device files or stops CUDA, and what our drop-in sets instead.

Sources: systemd.exec(5) `PrivateDevices=`, systemd.resource-control(5) `DevicePolicy=`; CUDA compiles kernels at run
time (PTX), which `MemoryDenyWriteExecute=` forbids. Nothing is set where nothing is in the way: a `DeviceAllow=` alone
would close every other device.
"""

from __future__ import annotations

from ongpu.host.ollama import Service
from ongpu.host.paths import DROP_IN
from ongpu.plan.context import Context, Halt
from ongpu.plan.files import content_of
from ongpu.plan.release import service_of

DEVICES = "DeviceAllow=char-nvidia* rw"  # a pattern of names in /proc/devices: nvidia, nvidia-uvm, nvidia-caps ...
_CURES = ("PrivateDevices=no", "DevicePolicy=auto", DEVICES, "MemoryDenyWriteExecute=no")


def lines(context: Context) -> tuple[str, ...]:
    """Of [Service], in a fixed order. Once our drop-in carries one, systemd no longer shows what it is against; so it
    stays until the drop-in is written anew."""
    service = service_of(context)
    if service is None:
        return ()
    carried = set(content_of(context, DROP_IN).splitlines())
    needed = _needed(service)
    return tuple(line for line in _CURES if line in needed or line in carried)


def require_open(context: Context, service: Service) -> None:
    """Raises Halt when a later drop-in closes again what ours opens: no restart would change that."""
    carried = set(content_of(context, DROP_IN).splitlines())
    closed = [line for line in _CURES if line in _needed(service) and line in carried]
    later = [path for path in service.drop_ins if path.rpartition("/")[2] > DROP_IN.rpartition("/")[2]]
    if closed:
        name = closed[0].partition("=")[0]
        raise Halt(
            "unsupported",
            f"{name}={service.properties.get(name) or '(other devices)'} keeps Ollama from the GPU; it is set by "
            f"{' or '.join(later) or 'another unit file'}: remove it there",
        )


def _needed(service: Service) -> set[str]:
    shown = service.properties
    allowed, policy = shown.get("DeviceAllow", ""), shown.get("DevicePolicy", "auto")
    needed = set()
    if shown.get("PrivateDevices") == "yes":  # systemd shows the policy `closed` for it
        needed |= {"PrivateDevices=no", "DevicePolicy=auto"}
    restricted = bool(allowed) or (policy in ("closed", "strict") and shown.get("PrivateDevices") != "yes")
    if restricted and "char-nvidia*" not in allowed:
        needed.add(DEVICES)
    if shown.get("MemoryDenyWriteExecute") == "yes":
        needed.add("MemoryDenyWriteExecute=no")
    return needed
