"""Calls side by side. (`concurrent.futures` would do, but its import takes longer than the calls.)"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any


def side_by_side(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """The results in the order of `calls`. Raises what the first failed call raised, after all have ended."""
    results: list[Any] = [None] * len(calls)
    errors: list[tuple[int, BaseException]] = []

    def one(number: int) -> None:
        try:
            results[number] = calls[number]()
        except BaseException as error:
            errors.append((number, error))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # in short waits: a signal that comes just before a long one would wait for its end
            thread.join(0.1)
    if errors:
        raise min(errors, key=lambda pair: pair[0])[1]
    return results
