"""One function over many items, memory flat: items are drawn as threads come free.

What has the threads copy stops soon when they are given up: `base.digest.copy_and_hash` asks before each chunk.

Threads pay off where hashing and copying leave the interpreter alone for long, that is for large files. Over small
files they only fight for the interpreter (measured: 20,000 files of 3 kB take 1.7 times as long on two threads as on
one), so those are done one after another. With large files threads also wait for a disk: there are three for each
processor, which makes hashing alone no slower (1 GB on two processors).
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

LARGE = 256 << 10
"""From how many bytes an item is worth a thread."""

_THREADS = 3
"""Threads for each processor."""


class GivenUpError(Exception):
    """Ends a function that works on an item of `each`, which was interrupted or failed meanwhile."""


def each_sized(function: Callable[[T], object], items: Iterable[T], size: Callable[[T], int], *, workers: int) -> None:
    """Call `function` on every item: on the large ones from threads, then on the small ones from this one.

    `workers` is how many processors may be busy; there are some threads for each.
    """
    small: list[T] = []

    def large() -> Iterator[T]:
        for item in items:
            if size(item) >= LARGE:
                yield item
            else:
                small.append(item)

    each(function, large(), workers=_THREADS * workers)
    for item in small:
        function(item)


def each(function: Callable[[T], object], items: Iterable[T], *, workers: int) -> None:
    """Call `function` on every item. The first exception stops the drawing of items, and is raised.

    So does an interruption of this thread. What the threads copy just then is given up.
    """
    stop = threading.Event()
    draw = _Draw(items, stop)
    _run(function, [draw] * workers, stop)


def each_apart(function: Callable[[T], object], queues: Iterable[Iterable[T]]) -> None:
    """Do as `each` with several queues at once, a thread for each: every drive is read in order, none waits."""
    stop = threading.Event()
    _run(function, [_Draw(items, stop) for items in queues], stop)


def require_wanted() -> None:
    """Raise `GivenUpError` in a thread of `each` whose work nobody waits for any more."""
    thread = threading.current_thread()
    if isinstance(thread, _Worker) and thread.stop.is_set():
        raise GivenUpError


def _run(function: Callable[[T], object], draws: list["_Draw[T]"], stop: threading.Event) -> None:
    errors = list[BaseException]()
    threads = [_Worker(function, draw, stop, errors) for draw in draws]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        stop.set()
        for thread in threads:
            if thread.is_alive():
                thread.join()
    if errors:
        raise errors[0]


class _Draw(Iterable[T]):
    """An iterator that threads may share, and that ends when `stop` is set."""

    def __init__(self, items: Iterable[T], stop: threading.Event) -> None:
        self._items = iter(items)
        self._stop = stop
        self._guard = threading.Lock()

    def __iter__(self) -> "_Draw[T]":
        return self

    def __next__(self) -> T:
        with self._guard:
            if self._stop.is_set():
                raise StopIteration
            return next(self._items)


class _Worker(threading.Thread, Generic[T]):
    """Takes from the draw until it is empty or stopped."""

    def __init__(
        self, function: Callable[[T], object], draw: _Draw[T], stop: threading.Event, errors: list[BaseException]
    ) -> None:
        super().__init__()
        self.stop = stop
        self._draw = draw
        self._function = function
        self._errors = errors

    def run(self) -> None:
        """Work; the first exception is for `each` to raise where it was called."""
        try:
            for item in self._draw:
                self._function(item)
        except BaseException as error:  # noqa: BLE001 - `each` raises it where it was called
            self._errors.append(error)
            self.stop.set()
