from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from standin_bench import Bench

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever starts the stand-in is slow."""
    for item in items:
        if HERE in item.path.parents and "bench" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    place = Bench(tmp_path)
    yield place
    place.close()
