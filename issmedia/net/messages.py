"""What is said between this process and the receiver: an order for each turn, and what came of it.

Both are JSON, tuples as arrays, one in each packet of a pair of sockets; bytes of a body pass through memory that both
share. Nothing is imported here that the receiver would have to load, but what it loads anyway.
"""

from typing import Any, NamedTuple

from issmedia.net.heads import Head

ROOM = 768 << 10
"""Bytes of the shared memory: of a body no more are handed over at a time."""

LONGEST = 192 << 10
"""Bytes of the longest message: longer ones cannot be sent."""

REFUSED, CUT_SHORT, TIMED_OUT = 7, 18, 28
NO_HOST, NO_PROXY = 6, 5
NOT_TRUSTED = 60
CLOSED = 52
NO_HTTP = 8
"""Codes of libcurl that are told from others; they are part of what it promises."""

_OF_TLS = frozenset({NOT_TRUSTED, 58, 59, 77, 83, 91})
"""Our certificate, the cipher, the CAs' file, the issuer, the state of the certificate."""

_MAY_BE_OF_TLS = frozenset({35, 55, 56})
"""The handshake, sending, receiving."""


class Failure(NamedTuple):
    """What libcurl says: its code, its words, the system's error, bytes that came and that are still lacking.

    `lacking` is -1 where nobody knows, `connect_status` what a proxy answered to a wish for a tunnel, else 0.
    """

    code: int
    text: str
    errno: int = 0
    came: int = 0
    lacking: int = -1
    by_proxy: bool = False
    connect_status: int = 0

    @property
    def is_tls(self) -> bool:
        """Say whether the two could not agree on TLS; a connection that was cut is no disagreement."""
        at_odds = "SSL routines" in self.text and "unexpected eof" not in self.text
        return self.code in _OF_TLS or (self.code in _MAY_BE_OF_TLS and at_odds)


ENDED = Failure(CLOSED, "ended")
CANNOT_BE = Failure(CLOSED, "the receiver said what cannot be")


class TransferError(Exception):
    """There was no answer, or no end of one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Whose(NamedTuple):
    """Whose a connection is: our certificate and key, the CAs that are believed, and the proxy. Paths of files."""

    certificate: str | None = None
    key: str | None = None
    authorities: tuple[str | None, str | None] = (None, None)
    """A file, and a directory."""
    proxy: str | None = None
    """A URL with its port."""
    proxy_username: str = ""
    proxy_password: str = ""


class Ask(NamedTuple):
    """Ask for a URL, escaped. `whose` comes with the first over a connection; `steady` is as of `Handle.ask`."""

    url: str
    headers: list[str]
    timeout_s: float
    steady: bool
    whose: Whose | None = None


Order = Ask | None
"""None: go on with what was asked for."""


def order_of(said: list[Any] | None) -> Order:
    """Read an order again that was JSON; it is ours, and so what it should be."""
    if said is None:
        return None
    url, headers, timeout_s, steady, whose = said
    return Ask(url, headers, timeout_s, steady, Whose(*whose) if whose else None)


class Told(NamedTuple):
    """The first `size` bytes of the shared memory are the next of the body; unless `more` may come they are the last.

    The `head` is there from the first time on. `length` is that of the body as it was announced, else -1.
    """

    size: int
    more: bool
    head: Head | None = None
    length: int = -1
    failure: Failure | None = None
