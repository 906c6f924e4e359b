"""`python -m ongpu.fleet.reading.by_pyinfra INVENTORY`: an inventory as pyinfra reads it, pickled on standard output.

A list of mappings, the fields of `ongpu.fleet.reading.inventory.Declared`, or a text: what is wrong.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any

from ongpu.errors import OngpuError
from ongpu.fleet.options import Options


def main(source: str) -> None:
    answer: list[dict[str, Any]] | str
    out, sys.stdout = sys.stdout.buffer, sys.stderr  # an inventory may print
    try:
        answer = hosts_of(source)
    except OngpuError as error:
        answer = str(error)
    pickle.dump(answer, out)


def hosts_of(source: str) -> list[dict[str, Any]]:
    """Raises ConfigError or NothingToDo with one sentence."""
    from ongpu.fleet.session import open_state

    kinds = {"SSHConnector": "ssh", "LocalConnector": "local"}
    return [
        {
            "name": host.name,
            "connector": kinds.get(host.connector_cls.__name__, host.connector_cls.__name__),
            "groups": tuple(host.groups),
            "data": host.data.dict(),
        }
        for host in open_state(Options(inventory=source))[1]
    ]


if __name__ == "__main__":
    sys.path.append(os.getcwd())
    main(sys.argv[1])
