"""What is said between this process and the receiver: an order for each turn, and what came of it.

Both are MessagePack, one in each packet of a pair of sockets; bytes of a body pass through memory that both share.
"""

import msgspec

from issmedia.net.heads import Head
from issmedia.net.identity import Identity

ROOM = 768 << 10
"""Bytes of the shared memory: of a body no more are handed over at a time."""

LONGEST = 192 << 10
"""Bytes of the longest message."""

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


class Failure(msgspec.Struct, frozen=True):
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


class TransferError(Exception):
    """There was no answer, or no end of one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Whose(msgspec.Struct, frozen=True):
    """Whose a connection is, and the file and directory of CAs that are believed over it."""

    identity: Identity
    authorities: tuple[str | None, str | None]


class Ask(msgspec.Struct, frozen=True):
    """Ask for a URL. `whose` comes with the first that is asked over a connection, `steady` is as of `Handle.ask`."""

    url: str
    headers: list[str]
    timeout_s: float
    steady: bool
    whose: Whose | None = None


Order = Ask | None
"""None: go on with what was asked for."""


class Told(msgspec.Struct, frozen=True):
    """The first `count` bytes of the shared memory are the next of the body; unless `more` may come they are the last.

    The `head` is there from the first time on. `length` is that of the body as it was announced, else -1.
    """

    count: int
    more: bool
    head: Head | None = None
    length: int = -1
    failure: Failure | None = None
