"""What the receiver waits with: sockets, and the time.

No clock is read: a second thread waits, and after each wait everybody is told that so much time has passed.
"""

import contextlib
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import NoReturn

TICK_S = 0.05
"""How often who waits is told that time passes."""


class Loop:
    """Waits, and calls."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[int], None]] = {}
        self._ticked = set[Callable[[], None]]()
        self._todo: deque[Callable[[], None]] = deque()

    def soon(self, call: Callable[[], None]) -> None:
        """Make a call after the others that wait."""
        self._todo.append(call)

    def drives(self, tick: Callable[[], None]) -> None:
        """Make a call each time that `TICK_S` have passed."""
        self._ticked.add(tick)

    def rests(self, tick: Callable[[], None]) -> None:
        """Make that call no more."""
        self._ticked.discard(tick)

    def watches(self, fd: int, events: int, call: Callable[[int], None]) -> None:
        """Make a call with what happened when it is one of these events of `epoll`."""
        try:
            (self._epoll.modify if fd in self._calls else self._epoll.register)(fd, events)
        except FileNotFoundError:  # another file of this number was closed
            self._epoll.register(fd, events)
        self._calls[fd] = call

    def ignores(self, fd: int) -> None:
        """Wait for a file no more; it may be closed already."""
        if self._calls.pop(fd, None) is not None:
            with contextlib.suppress(OSError):  # it is closed
                self._epoll.unregister(fd)

    def run(self) -> NoReturn:
        """Wait and call for good."""
        bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.watches(bell, select.EPOLLIN, lambda _: self._tick(bell))
        threading.Thread(target=_count, args=(bell,), name="ticks", daemon=True).start()
        while True:
            for fd, events in self._epoll.poll(0 if self._todo else None):
                if (call := self._calls.get(fd)) is not None:
                    call(events)
            for _ in range(len(self._todo)):
                self._todo.popleft()()

    def _tick(self, bell: int) -> None:
        """Tell of one tick, however many there were: where all was held up, nobody who waits has had the time."""
        os.eventfd_read(bell)
        for tick in list(self._ticked):
            tick()


def _count(bell: int) -> None:
    never = threading.Event()
    while not never.wait(TICK_S):
        os.eventfd_write(bell, 1)
