from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from standin_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    place = Bench(tmp_path)
    yield place
    place.close()
