"""What several threads want at once is done by one of them; the others wait for what it gets."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Work under way, by what names it. Nothing is remembered of work that has ended."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._running: dict[str, _Running[T]] = {}

    def do(self, name: str, work: Callable[[], T]) -> T:
        """Give what `work` gives, or what another thread's work of this name gives.

        Where the other one fails, that is its own affair: then this one does its own work.
        """
        while True:
            with self._guard:
                running = self._running.get(name)
                if running is None:
                    mine = self._running[name] = _Running()
            if running is None:
                return self._done(name, mine, work)
            if (found := running.result()) is not None:
                return found

    def _done(self, name: str, mine: "_Running[T]", work: Callable[[], T]) -> T:
        try:
            mine.found = work()
            return mine.found
        finally:
            with self._guard:
                del self._running[name]
            mine.ended.release()


class _Running(Generic[T]):
    """Work that one thread does; `ended` is locked until then. A future would cost more than most have use for."""

    def __init__(self) -> None:
        self.found: T | None = None
        self.ended = threading.Lock()
        self.ended.acquire()

    def result(self) -> T | None:
        """Wait, and give what was found; None where the work failed."""
        with self.ended:
            return self.found
