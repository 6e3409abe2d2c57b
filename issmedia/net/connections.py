"""The connections of one run: shared by the clients of all its repositories, so many in use at a time.

What a server or a proxy is shown, and must show, keeps connections apart: requests share one only where all of their
`Identity` is the same. So no certificate and no password of one repository reaches a host in the name of another.
"""

import base64
import contextlib
import queue
import threading
from collections.abc import Callable, Mapping

from issmedia.model.transport import Transport
from issmedia.net import tls
from issmedia.net.handle import Handle
from issmedia.net.heads import Head
from issmedia.net.identity import Identity
from issmedia.net.manners import Manners, Pace
from issmedia.net.messages import TransferError
from issmedia.net.wire import Wire

MOST = 8
"""Connections in use at a time, unless somebody says otherwise."""

_KEPT = 64
"""Connections that are kept while nobody uses them; each has memory for a part of a body."""

Turns = queue.SimpleQueue[None]
"""Holds as many as may still be taken."""

_SHORT = 4096
"""Bytes of the body of a refusal that are worth reading for the connection's sake."""


class Place:
    """Where connections lead to, and whose they are; those that nobody uses, with that of the last user last."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.idle: list[Handle] = []


class Flight:
    """One request and its answers: has a turn while it goes on, and can be ended by another thread."""

    def __init__(self, ended: threading.Event, turns: Turns | None) -> None:
        self._ended = ended
        self._turns = turns
        self._has_turn = False
        self._handle: Handle | None = None
        self._guard = threading.Lock()

    def begin(self) -> None:
        """Wait for a turn."""
        if self._turns and not self._has_turn:
            self._turns.get()
            self._has_turn = True

    def rest(self) -> None:
        """Give the turn to others."""
        if self._turns and self._has_turn:
            self._has_turn = False
            self._turns.put(None)

    def uses(self, one: Handle | None) -> None:
        """Learn the connection, or that there is none any more; where the end came before, it is ended here."""
        with self._guard:
            self._handle = one
        if self._ended.is_set():
            self.end()

    def end(self) -> None:
        """Have what waits for the connection fail."""
        with self._guard:
            if self._handle is not None:
                self._handle.end()


class Connections:
    """Connections, by identity and origin; `most` are in use at a time, and `rate` bytes a second pass over all.

    `wait` replaces waiting, for tests.
    """

    def __init__(
        self, most: int = MOST, *, rate: int | None = None, wait: Callable[[float], object] | None = None
    ) -> None:
        self.most = most
        self._interrupted = threading.Event()
        self._turns: Turns = queue.SimpleQueue()
        for _ in range(most):
            self._turns.put(None)
        self.pace = Pace(Manners(rate=rate, wait=wait), self._interrupted) if rate else None
        self._wire = Wire()
        self._places: dict[tuple[Identity, str], Place] = {}
        self._kept = 0
        self._closed = False
        self._checked: set[tuple[str | None, ...]] = set()
        self._guard = threading.Lock()

    def flight(self, ended: threading.Event, *, extra: bool = False) -> Flight:
        """Prepare a request that `ended` ends; an `extra` one waits for no turn."""
        return Flight(ended, None if extra else self._turns)

    def place(self, identity: Identity, origin: str) -> Place:
        """Give the place of connections to an origin."""
        with self._guard:
            return self._places.setdefault((identity, origin), Place(identity))

    def ask(
        self, url: str, headers: Mapping[str, str], place: Place, *, flight: Flight, timeout_s: float, steady: bool
    ) -> "Answer":
        """Send a request when its turn comes; give the answer, its body unread. `steady` as of `Handle.ask`."""
        flight.begin()
        handle = self._handle(place)
        flight.uses(handle)
        try:
            lines = [f"{name}: {value}" for name, value in headers.items()]
            head = handle.ask(url, lines, timeout_s=timeout_s, steady=steady)
        except BaseException:
            flight.uses(None)
            handle.close()
            raise
        return Answer(head, handle, lambda: self._give_back(place, handle, flight))

    def require_files(self, transport: Transport) -> None:
        """Raise `UsageError` where certificates cannot be used."""
        wanted = (transport.ca_bundle, transport.client_cert, transport.client_key)
        with self._guard:
            if wanted not in self._checked:
                tls.context(transport)
                self._checked.add(wanted)

    def interrupt(self) -> None:
        """Let nobody wait for the rate any more."""
        self._interrupted.set()

    def close(self) -> None:
        """Close every connection; those in use fail, and are closed by their users."""
        with self._guard:
            self._closed = True
            idle = [handle for place in self._places.values() for handle in place.idle]
        for one in idle:
            one.close()
        self._wire.close()

    def __enter__(self) -> "Connections":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _handle(self, place: Place) -> Handle:
        with self._guard:
            while place.idle and not self._closed:
                self._kept -= 1
                if (handle := place.idle.pop()).is_free:
                    return handle
                handle.close()
        return Handle(place.identity, self._wire)

    def _give_back(self, place: Place, handle: Handle, flight: Flight) -> None:
        """Keep a connection for the next request, where it can serve again and there is room."""
        flight.uses(None)
        with self._guard:
            keeps = handle.is_free and self._kept < _KEPT and not self._closed
            if keeps:
                self._kept += 1
                place.idle.append(handle)
        if not keeps:
            handle.close()


class Answer:
    """An answer: its head, and its body as it arrives. Whoever got it must `close` it."""

    def __init__(self, head: Head, handle: Handle, leave: Callable[[], None]) -> None:
        self.head = head
        self.readinto = handle.readinto
        self._handle = handle
        self._leave: Callable[[], None] | None = leave

    def close(self) -> None:
        """Give the connection back, once."""
        if self._leave:
            leave, self._leave = self._leave, None
            leave()

    def skip(self) -> None:
        """Close an answer whose body nobody wants; a short one is read, so that its connection serves again."""
        if 0 <= self._handle.length <= _SHORT:
            buffer = memoryview(bytearray(_SHORT))
            with contextlib.suppress(TransferError):
                while self.readinto(buffer):
                    pass
        self.close()


def basic(user: str, password: str) -> str:
    """Write the header that names a user."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
