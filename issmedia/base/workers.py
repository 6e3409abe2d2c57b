"""Threads that wait for work: for what blocks, as a network does."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

_BUNCH_S = 0.1
"""How long the first result of a bunch waits for the others."""


class Workers:
    """Threads that do what is submitted, in order. They are daemons: one that is blocked holds up no exit."""

    def __init__(self, count: int, *, name: str) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._working = count
        self._ended = threading.Condition()
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Later[T]":
        """Have a call made by the next thread that comes free."""
        later = Later[T]()
        self.do(lambda: function(*args, **kwargs), later.put, later.fail)
        return later

    def do(self, call: Callable[[], T], done: Callable[[T], object], failed: Callable[[BaseException], object]) -> None:
        """Have a call made, and what it gives or raises handed to one of the other two, in the same thread."""

        def task() -> None:
            try:
                found = call()
            except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
                failed(error)
            else:
                done(found)

        self._tasks.put(task)

    def finish(self) -> None:
        """Wait until all is done and the threads have ended."""
        self._dismiss()
        for thread in self._threads:
            thread.join()

    def give_up(self, *, within_s: float) -> None:
        """Begin nothing more, and wait at most so long for what was begun; what is blocked is left behind."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._tasks.get_nowait()
        self._dismiss()
        with self._ended:
            all_ended = self._ended.wait_for(lambda: self._working == 0, timeout=within_s)
        for thread in self._threads if all_ended else ():
            thread.join()

    def _dismiss(self) -> None:
        for _ in self._threads:
            self._tasks.put(None)

    def _work(self) -> None:
        while task := self._tasks.get():
            task()
        with self._ended:
            self._working -= 1
            self._ended.notify_all()


class Later(Generic[T]):
    """What a call will give. A future of Python's would take 5 ms to import, for what nobody here has use for."""

    def __init__(self) -> None:
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._ended = threading.Lock()
        self._ended.acquire()

    def put(self, found: T) -> None:
        """End with a result."""
        self._found.append(found)
        self._ended.release()

    def fail(self, error: BaseException) -> None:
        """End with an error."""
        self._error = error
        self._ended.release()

    def result(self) -> T:
        """Wait, and give the result or raise the error."""
        with self._ended:
            if self._error is not None:
                raise self._error
            return self._found[0]


class Gathered(Generic[T]):
    """What calls give that threads make, taken by one thread in bunches: to be woken for each would cost it more.

    Where a call raises, whatever is taken next raises that.
    """

    def __init__(self, workers: Workers, *, most: int) -> None:
        self._workers = workers
        self._most = most
        self._under_way = 0
        self._guard = threading.Lock()
        self._done: list[T] = []
        self._error: BaseException | None = None
        self._wanted = 0
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have a call made by the next thread that comes free."""
        self._under_way += 1
        self._workers.do(lambda: function(*args, **kwargs), self._put, self._fail)

    def surplus(self) -> list[T]:
        """Give nothing while fewer than `most` calls are under way; else wait until half of them are done."""
        return self._bunch(self._most // 2) if self._under_way >= self._most else []

    def rest(self) -> Iterator[T]:
        """Give all that is left, as it comes."""
        while self._under_way:
            yield from self._bunch(self._under_way)

    def _bunch(self, wanted: int) -> list[T]:
        """Wait until so many are done, or any after a moment."""
        self._wanted = wanted
        while not (found := self._take(wanted)):
            with contextlib.suppress(queue.Empty):
                self._bell.get(timeout=_BUNCH_S)
                continue
            wanted = 1
        return found

    def _take(self, wanted: int) -> list[T]:
        with self._guard:
            if self._error is not None:
                raise self._error
            if len(self._done) < wanted:
                return []
            found, self._done = self._done, []
        self._under_way -= len(found)
        return found

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self._bell.put(None)

    def _put(self, found: T) -> None:
        with self._guard:
            self._done.append(found)
            rings = len(self._done) == self._wanted
        if rings:
            self._bell.put(None)
