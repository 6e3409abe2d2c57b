"""What several threads want at once is done by one of them; the others wait for what it gets."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from issmedia.base.workers import Later

T = TypeVar("T")


class Once(Generic[T]):
    """Work under way, by what names it. Nothing is remembered of work that has ended."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._running: dict[str, Later[T | None]] = {}

    def do(self, name: str, work: Callable[[], T]) -> T:
        """Give what `work` gives, or what another thread's work of this name gives.

        Where the other one fails, that is its own affair: then this one does its own work.
        """
        while True:
            with self._guard:
                running = self._running.get(name)
                if running is None:
                    mine = self._running[name] = Later()
            if running is None:
                return self._done(name, mine, work)
            if (found := running.result()) is not None:
                return found

    def _done(self, name: str, mine: Later[T | None], work: Callable[[], T]) -> T:
        found: T | None = None
        try:
            found = work()
            return found
        finally:
            with self._guard:
                del self._running[name]
            mine.put(found)
