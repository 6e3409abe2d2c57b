"""A connection, as whoever asks over it sees it."""

from issmedia.net.heads import Head
from issmedia.net.identity import Identity
from issmedia.net.messages import CANNOT_BE, CLOSED, ENDED, Ask, Failure, Order, Told, TransferError, Whose
from issmedia.net.quoting import escaped
from issmedia.net.tls import authorities
from issmedia.net.wire import Wire

_NOTHING = Told(0, more=False)


class Handle:
    """One connection, made where there is none that still stands, for one request at a time.

    The receiver receives only in its turn, which begins when all that came was read: no more than a part and one step
    wait in memory. Only `end` is for other threads than the user's.
    """

    def __init__(self, identity: Identity, wire: Wire) -> None:
        self._whose: Whose | None = _whose(identity)
        self._line = wire.line()
        self._told = _NOTHING
        self._at = 0
        self._away = False
        """Whether it is the receiver's turn."""

    def ask(self, url: str, headers: list[str], *, timeout_s: float, steady: bool) -> Head:
        """Ask for a URL; give the head of the answer. `TransferError` where there is none.

        `steady` gives up who only trickles, and has more come at a time.
        """
        self._take_turn(Ask(escaped(url), headers, timeout_s, steady, self._whose))
        self._whose = None
        if self._told.head is None:
            raise TransferError(self._told.failure or Failure(CLOSED, "the answer has no head"))
        return self._told.head

    @property
    def length(self) -> int:
        """Give the bytes of the body, as they were announced; -1 where they were not."""
        return self._told.length

    @property
    def is_free(self) -> bool:
        """Say whether the answer was read to its end, and the connection may serve again."""
        told = self._told
        return not (self._away or self._line.is_over or told.more or told.failure or self._at < told.size)

    def readinto(self, buffer: memoryview) -> int:
        """Read on into a buffer that is not empty; 0 at the end. `TransferError` where the body ends early."""
        while self._at == self._told.size:
            if self._away:
                raise TransferError(ENDED)
            if self._told.failure:
                raise TransferError(self._told.failure)
            if not self._told.more:
                return 0
            self._take_turn(None)
            if self._told.more and not self._told.size:
                raise TransferError(CANNOT_BE)
        count = min(len(buffer), self._told.size - self._at)
        buffer[:count] = self._line.came[self._at : self._at + count]
        self._at += count
        return count

    def end(self) -> None:
        """Have what waits for this connection fail, and whatever is asked of it later."""
        self._line.end()

    def close(self) -> None:
        """Close the connection; once more does nothing."""
        self._away = True
        self._told, self._at = _NOTHING, 0
        self._line.close()

    def _take_turn(self, order: Order) -> None:
        """Let the receiver have its turn, and learn what came."""
        self._away = True
        self._told, self._at = self._line.turn(order), 0
        self._away = False


def _whose(identity: Identity) -> Whose:
    """Say whose a connection is; our certificate is shown to a server that proves who it is, never to a proxy."""
    shows, proxy = identity.client_cert and identity.scheme == "https", identity.proxy
    return Whose(
        certificate=identity.client_cert if shows else None,
        key=(identity.client_key or identity.client_cert) if shows else None,
        authorities=authorities(identity.ca_bundle) if identity.speaks_tls else (None, None),
        proxy=proxy.place if proxy else None,
        proxy_username=proxy.username if proxy else "",
        proxy_password=proxy.password if proxy else "",
    )
