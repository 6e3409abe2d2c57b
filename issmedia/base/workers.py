"""Threads that wait for work: for what blocks, as a network does."""

import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class Workers:
    """Threads that do what is submitted, in order. They are daemons: one that is blocked holds up no exit."""

    def __init__(self, count: int, *, name: str) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._working = count
        self._ended = threading.Condition()
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a call made by the next thread that comes free."""
        future: Future[T] = Future()

        def task() -> None:
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - the future hands it to whoever asks for the result
                future.set_exception(error)

        self._tasks.put(task)
        return future

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
