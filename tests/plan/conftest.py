"""Fixtures of the shell tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.plan.bench import SHELLS, Bench, Site, serve

# Machines are shared and slow at times: what is too slow is for a benchmark to say.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(params=SHELLS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """In each shell that a host may have as /bin/sh."""
    return Bench(tmp_path, request.param)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(Site()) as made:
        yield made
