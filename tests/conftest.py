from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What reads hosts over asyncio comes first: a verb that needs pyinfra patches the standard library of this process
    for gevent, for good, and asyncio cannot live with that (ongpu.fleet.reading.inventory)."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/fleet/"))
