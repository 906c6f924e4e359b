"""A pyinfra State over the selected hosts, and work done on each host independently of the others.

pyinfra's own driver is not used for reading: it connects to every host before it asks the first, keeps every
connection to the end, and one host's exception ends the run for all (docs/design.md, "pyinfra").
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pyinfra_cli  # noqa: F401 - importing it patches the standard library for gevent; must come before paramiko
from gevent import Timeout, get_hub
from gevent.pool import Pool
from pyinfra.api.config import Config
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state
from pyinfra_cli.inventory import make_inventory

from ongpu.errors import ConfigError
from ongpu.fleet.connect import connect, disconnect
from ongpu.fleet.options import Options as Options
from ongpu.fleet.options import selected
from ongpu.spec.load import load
from ongpu.spec.pyinfra_data import pyinfra_groups

log = logging.getLogger("ongpu")
# An interrupt ends the run with one sentence (cli/main.py); gevent would print its traceback first.
get_hub().NOT_ERROR = (*get_hub().NOT_ERROR, KeyboardInterrupt)
T = TypeVar("T")


def open_state(options: Options, only: Sequence[str] | None = None) -> tuple[State, list[Host]]:
    """The state and the selected hosts. Raises ConfigError or NothingToDo with one sentence (or several, one per
    error of the inventory)."""
    state = State(check_for_changes=False)
    state.cwd = os.getcwd()
    ctx_state.set(state)
    inventory = _inventory(options.inventory, options.data)
    ctx_inventory.set(inventory)
    config = Config(PARALLEL=options.parallel, CONNECT_TIMEOUT=10, FAIL_PERCENT=100)
    ctx_config.set(config)
    hosts: list[Host] = selected(inventory, options)
    if only is not None:
        hosts = [host for host in hosts if host.name in set(only)]
    state.init(inventory, config, initial_limit=hosts)
    return state, hosts


def _inventory(source: str, data: dict[str, Any]) -> Inventory:
    if os.path.isdir(source) or source.endswith((".yaml", ".yml")):
        return _of_fleet_file(source, data)
    if source.endswith(".py") and not os.path.exists(source):
        raise ConfigError(
            f"there is no {source} here; name one with --inventory: a pyinfra inventory, a fleet.yaml, or a directory "
            "of such files",
            source,
        )
    try:
        inventory: Inventory = make_inventory(source, override_data=data, cwd=os.getcwd())
        return inventory
    except SystemExit as stop:  # how inventory.py reports configuration errors: one per line, no traceback
        raise ConfigError(str(stop.code)) from None
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"cannot be read as a pyinfra inventory: {error}", source) from error


def _of_fleet_file(source: str, data: dict[str, Any]) -> Inventory:
    """What the shipped inventory.py does, without one: an installed ongpu needs only the YAML."""
    groups = dict(pyinfra_groups(load(source)))
    every = groups.pop("hosts")
    named: dict[str, Any] = {name: ([host for host, _ in hosts], {}) for name, hosts in groups.items()}
    return Inventory((every, {}), override_data=data, all=([host for host, _ in every], {}), **named)


def each(
    state: State, hosts: Sequence[Host], options: Options, work: Callable[[Host], T], trouble: Callable[[Host, str], T]
) -> Iterator[T]:
    """Connect, `work(host)`, close; results as they come, in no order. `trouble(host, sentence)` makes the result
    of a host that could not be reached, took too long, or made `work` raise."""

    def one(host: Host) -> T:
        with ctx_host.use(host):
            try:
                with Timeout(options.seconds, TimeoutError(f"not done within {options.seconds} s")):
                    if reason := connect(host):
                        return trouble(host, reason)
                    state.activate_host(host)
                    return work(host)
            except TimeoutError as error:
                return trouble(host, str(error))
            except Exception as error:
                log.debug("%s", host.name, exc_info=True)
                return trouble(host, f"ongpu bug, please report: {error!r}")
            finally:
                disconnect(host)

    pool = Pool(options.parallel)
    try:
        yield from pool.imap_unordered(one, hosts)
    finally:
        pool.kill(timeout=2)  # an interrupted run; otherwise all are done
