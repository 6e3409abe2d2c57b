"""The wire of one run: a thread that waits for all sockets at once, and lets bytes come in.

Whoever reads sleeps meanwhile, and is woken once for many bytes. Were each to wait for its own socket, eight threads
would hand the interpreter to one another for every 16 KiB: that took half the time of a sync.

No clock is read: a second thread waits, and after each wait everybody is told that so much time has passed.
"""

import contextlib
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

TICK_S = 0.05
"""How often transfers are told that time passes."""


class Transfer(Protocol):
    """What the wire's thread drives: it alone calls this."""

    def ready(self, fd: int, events: int, /) -> None:
        """Go on: a socket may be read or written."""

    def tick(self) -> None:
        """Go on: `TICK_S` have passed."""

    def shut(self) -> None:
        """Fail whoever waits, and close."""


class Wire:
    """The transfers of a run, and the thread that drives them, which begins with the first."""

    def __init__(self) -> None:
        self._todo: deque[Callable[[], None]] = deque()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._ended = threading.Event()
        self._transfers: set[Transfer] = set()
        self._driven: set[Transfer] = set()
        self._sockets: dict[int, Transfer] = {}
        self._epoll: select.epoll
        self._bell = -1
        self._asleep = False
        self._ticks = False
        """Whether a tick is under way: where the wire was held up, time has not passed for those who wait."""

    def do(self, call: Callable[[], None]) -> bool:
        """Have the thread make a call; False where it makes none any more. The call must not raise."""
        with self._guard:
            if self._closed:
                return False
            if self._thread is None:
                self._begin()
            self._todo.append(call)
            if self._asleep:
                os.eventfd_write(self._bell, 1)
        return True

    def knows(self, one: Transfer) -> None:
        """Have `close` shut a transfer."""
        self._transfers.add(one)

    def forgets(self, one: Transfer) -> None:
        """Leave a transfer to itself: it is shut."""
        self._transfers.discard(one)
        self._driven.discard(one)

    def drives(self, one: Transfer) -> None:
        """Tell a transfer from now on that time passes."""
        self._driven.add(one)

    def rests(self, one: Transfer) -> None:
        """Tell a transfer no more."""
        self._driven.discard(one)

    def watches(self, fd: int, events: int, one: Transfer) -> None:
        """Call a transfer when a socket is ready for these events of `epoll`."""
        try:
            (self._epoll.modify if fd in self._sockets else self._epoll.register)(fd, events)
        except FileNotFoundError:  # another socket of this number was closed
            self._epoll.register(fd, events)
        self._sockets[fd] = one

    def ignores(self, fd: int, one: Transfer) -> None:
        """Wait for a socket of a transfer no more."""
        if self._sockets.get(fd) is one:
            del self._sockets[fd]
            with contextlib.suppress(OSError):  # it is closed
                self._epoll.unregister(fd)

    def close(self) -> None:
        """Shut all transfers, and end the thread."""
        with self._guard:
            has_ended, self._closed = self._closed, True
            if self._thread is not None and not has_ended:
                os.eventfd_write(self._bell, 1)
        if self._thread is not None:
            self._thread.join()

    def _begin(self) -> None:
        """Start the threads; where one does not start, all is as closed."""
        self._closed = True
        self._epoll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._bell, select.EPOLLIN)
        thread = threading.Thread(target=self._run, name="wire", daemon=True)
        thread.start()
        self._thread = thread
        threading.Thread(target=self._count, name="ticks", daemon=True).start()
        self._closed = False

    def _run(self) -> None:
        self._guard.acquire()  # who starts this holds it until all is ready
        self._guard.release()
        try:
            while not self._closed:
                self._turn()
        finally:
            with self._guard:
                self._closed = True
            self._ended.set()
            for one in list(self._transfers):
                with contextlib.suppress(Exception):  # whatever it is: nobody may be left waiting
                    one.shut()
            self._epoll.close()
            os.close(self._bell)

    def _turn(self) -> None:
        """Wait until there is something to do, and do it."""
        self._asleep = True  # first this, then look what is to be done: who adds to that does it the other way round
        events = self._epoll.poll(0 if self._todo else None)
        self._asleep = False
        for fd, mask in events:
            if fd == self._bell:
                os.eventfd_read(self._bell)
            elif (one := self._sockets.get(fd)) is not None:
                one.ready(fd, mask)
        for _ in range(len(self._todo)):
            self._todo.popleft()()

    def _count(self) -> None:
        while not self._ended.wait(TICK_S):
            if not self._ticks:
                self._ticks = True
                self.do(self._tick)

    def _tick(self) -> None:
        self._ticks = False
        for one in list(self._driven):
            one.tick()
