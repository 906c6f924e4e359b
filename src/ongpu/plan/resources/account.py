"""The system user that the service runs as."""

from __future__ import annotations

from ongpu.host.paths import ACCOUNT, ACCOUNT_HOME
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.plan import shell
from ongpu.plan.context import Context, Halt, Resource
from ongpu.plan.release import install_of, service_of
from ongpu.plan.types import Change

_NOT_FOR_ACCOUNTS = ("root", "wheel", "sudo", "adm", "disk", "shadow")


def _changes(context: Context) -> list[Change]:
    install = install_of(context)
    service = service_of(context)
    if service and service.user != ACCOUNT:
        return []  # someone else's unit chose its user
    match install.account:
        case Unreadable(why=why):
            raise Halt("unknown", f"cannot tell whether the user {ACCOUNT} exists: {why}")
        case Absent():
            return [_change(f"create the system user {ACCOUNT}", ())]
        case Known(value=account) if account.name != ACCOUNT:
            return [_change(f"create the system user {ACCOUNT}", ())]
        case Known(value=account):
            groups = tuple(group for group in _groups_of_nodes(context) if group not in account.groups)
            return [_change(f"add {ACCOUNT} to {', '.join(groups)}, which may open the GPU", groups)] if groups else []


def _change(summary: str, groups: tuple[str, ...]) -> Change:
    step = shell.run(summary, "account", USER=ACCOUNT, HOME_DIR=ACCOUNT_HOME, GROUPS_WANTED=" ".join(groups))
    return Change(resource="account", summary=summary, steps=(step,))


def _groups_of_nodes(context: Context) -> tuple[str, ...]:
    """Groups without which the service cannot open the GPU; empty when it can, or nobody knows."""
    if not isinstance(context.snapshot.nodes, Known):
        return ()
    nodes = context.snapshot.nodes.value
    if value_or_none(nodes.service_user) != ACCOUNT:  # no account of ours, or nobody knows
        return ()
    if not (isinstance(nodes.service_user_may_open, Known) and nodes.service_user_may_open.value is False):
        return ()
    found = {node.group for node in nodes.nodes if node.mode[-2:-1] in ("6", "7") and node.mode[-1:] not in ("6", "7")}
    return tuple(sorted(found - set(_NOT_FOR_ACCOUNTS)))


RESOURCE = Resource(name="account", applies=lambda spec: spec.ollama.wanted, changes=_changes)
