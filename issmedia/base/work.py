"""One function over many items on a few threads, memory flat: items are drawn as threads come free."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")


def each(function: Callable[[T], object], items: Iterable[T], *, workers: int) -> None:
    """Call `function` on every item. The first exception stops the drawing of items, and is raised."""
    draw = _Draw(items)
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(_drain, function, draw) for _ in range(workers)]
        try:
            wait(futures)
        finally:
            draw.stop()
    for future in futures:
        future.result()


class _Draw(Iterable[T]):
    """An iterator that threads may share, and that can be stopped."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)
        self._guard = threading.Lock()
        self._stopped = False

    def __iter__(self) -> "_Draw[T]":
        return self

    def __next__(self) -> T:
        with self._guard:
            if self._stopped:
                raise StopIteration
            return next(self._items)

    def stop(self) -> None:
        """Give no further items."""
        with self._guard:
            self._stopped = True


def _drain(function: Callable[[T], object], draw: _Draw[T]) -> None:
    try:
        for item in draw:
            function(item)
    finally:
        draw.stop()
