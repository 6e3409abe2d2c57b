"""libcurl: what a `Handle` asks, over one connection of its own, one request at a time.

libcurl is driven by the wire, and receives only when all that came before was read: so no more than a part and one step
wait in memory. Nobody but this and `net.curl_options` uses pycurl.
"""

import contextlib
import math
import queue
import select
import threading
from collections import deque
from collections.abc import Callable

import msgspec
import pycurl

from issmedia.net.curl_options import Options, of_identity, of_limits, of_url
from issmedia.net.heads import Head, Tally, read_head
from issmedia.net.identity import Identity
from issmedia.net.wire import TICK_S, Wire

_ENOUGH = 512 << 10
_LITTLE = 64 << 10
"""Bytes of a body that are handed over at a time; little where a rate is set."""

_PATIENCE = 2
"""Ticks that what came waits for more to come."""

_READABLE = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR

_LENGTH = getattr(pycurl, "CONTENT_LENGTH_DOWNLOAD_T", None) or pycurl.CONTENT_LENGTH_DOWNLOAD
_CAME = getattr(pycurl, "SIZE_DOWNLOAD_T", None) or pycurl.SIZE_DOWNLOAD
"""Old releases of pycurl give floats, new ones warn of them."""

REFUSED, CUT_SHORT, TIMED_OUT = pycurl.E_COULDNT_CONNECT, pycurl.E_PARTIAL_FILE, pycurl.E_OPERATION_TIMEDOUT
NO_HOST, NO_PROXY = pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY
NOT_TRUSTED = pycurl.E_PEER_FAILED_VERIFICATION
CLOSED = pycurl.E_GOT_NOTHING

_OF_TLS = frozenset(
    {
        NOT_TRUSTED,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CIPHER,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_ISSUER_ERROR,
        pycurl.E_SSL_INVALIDCERTSTATUS,
    }
)
_MAY_BE_OF_TLS = frozenset({pycurl.E_SSL_CONNECT_ERROR, pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR})


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


_ENDED = Failure(CLOSED, "ended")


class TransferError(Exception):
    """There was no answer, or no end of one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Handle:
    """One connection, made where there is none that still stands, for one request at a time.

    It is the wire's or the user's: `_await` hands it to the wire, which hands it back with bytes, a head, or the end.
    Only `end` is for other threads than these two.
    """

    def __init__(self, identity: Identity, wire: Wire) -> None:
        self._wire = wire
        self._easy = pycurl.Curl()
        self._multi = pycurl.CurlMulti()
        self._lines: list[bytes] = []
        self._pieces: deque[bytes] = deque()
        self._headers: list[str] = []
        self._limits = (0.0, False)
        self._sockets: dict[int, int] = {}
        self._left_alone: set[int] = set()
        self._turn: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._awaited = False
        self._driven = False
        self._ended = False
        self._closed = False
        self._under_way = False
        self._failure: Failure | None = None
        self._enough = 0
        self._head: Head | None = None
        self._tally = Tally()
        self._most_silent = self._silent = self._held = 0
        self._timer: int | None = None
        """Ticks until libcurl wants to go on by itself."""
        self._has_proxy = identity.proxy is not None
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._set(of_identity(identity))
        self._easy.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self._easy.setopt(pycurl.WRITEFUNCTION, self._pieces.append)
        wire.knows(self)

    def ask(self, url: str, headers: list[str], *, timeout_s: float, steady: bool) -> Head:
        """Ask for a URL; give the head of the answer. `TransferError` where there is none.

        `steady` gives up who only trickles, and has more come at a time.
        """
        self._most_silent = math.ceil(timeout_s / TICK_S)
        self._enough = _ENOUGH if steady else _LITTLE
        self._forget_lines()
        self._head = None
        self._failure = None
        try:
            self._say(url, headers, (timeout_s, steady))
        except pycurl.error as cause:
            raise TransferError(_said(cause)) from cause
        self._await(self._begin)
        head = self._found_head()
        if head is None:
            raise TransferError(self._failure or Failure(CLOSED, "the answer has no head"))
        self._forget_lines()
        return head

    @property
    def length(self) -> int:
        """Give the bytes of the body, as they were announced; -1 where they were not."""
        try:
            return int(self._easy.getinfo(_LENGTH))
        except pycurl.error:  # it was closed meanwhile
            return -1

    @property
    def waiting(self) -> int:
        """Give the bytes that came and were not read yet."""
        return sum(map(len, self._pieces))

    @property
    def is_free(self) -> bool:
        """Say whether the answer was read to its end, and the connection may serve again."""
        return not (self._under_way or self._failure or self._pieces or self._ended or self._awaited)

    def readinto(self, buffer: memoryview) -> int:
        """Read on into a buffer that is not empty; 0 at the end. `TransferError` where the body ends early."""
        while not (count := self._taken(buffer)):
            under_way = self._under_way  # first: a failure that comes between the two is no end
            if self._failure:
                raise TransferError(self._failure)
            if not under_way:
                return 0
            self._await(self._go_on)
        return count

    def end(self) -> None:
        """Have what waits for this connection fail, and whatever is asked of it later."""
        self._ended = True
        self._wire.do(self._end)

    def close(self) -> None:
        """Close the connection; once more does nothing."""
        self._wire.do(self.shut)

    def _forget_lines(self) -> None:
        self._lines.clear()
        self._tally = Tally()

    def _say(self, url: str, headers: list[str], limits: tuple[float, bool]) -> None:
        """Tell libcurl what is to be asked, as far as it differs from the last time."""
        self._set(of_url(url))
        if headers != self._headers:
            self._easy.setopt(pycurl.HTTPHEADER, headers)
            self._headers = headers
        if limits != self._limits:
            timeout_s, steady = self._limits = limits
            self._set(of_limits(timeout_s, steady=steady))

    def _set(self, options: Options) -> None:
        for option, value in options.items():
            self._easy.setopt(option, value)

    def _taken(self, buffer: memoryview) -> int:
        """Move what waits into a buffer, as far as it goes; say how many bytes."""
        pieces = self._pieces
        at, room = 0, len(buffer)
        while pieces and at < room:
            piece = pieces.popleft()
            if (end := at + len(piece)) > room:
                pieces.appendleft(piece[room - at :])
                piece, end = piece[: room - at], room
            buffer[at:end] = piece
            at = end
        return at

    def _await(self, step: Callable[[], None]) -> None:
        """Hand the connection to the wire, and wait until it is handed back."""
        self._awaited = True
        if not self._wire.do(step):
            raise TransferError(_ENDED)
        self._turn.get()
        self._awaited = False

    # What follows is the wire's.

    def ready(self, fd: int, events: int) -> None:
        """Let libcurl receive or send; in the user's turn the socket is left alone."""
        if not self._driven:
            self._left_alone.add(fd)
            self._wire.ignores(fd, self)
            return
        self._silent = 0
        reads, writes = events & _READABLE, events & select.EPOLLOUT
        self._act(fd, (pycurl.CSELECT_IN if reads else 0) | (pycurl.CSELECT_OUT if writes else 0))

    def tick(self) -> None:
        """Count: give up who is silent, hand over what came some time ago, and let libcurl look at its own times."""
        self._silent += 1
        self._held += bool(self._pieces or (self._lines and self._head is None))
        if self._silent > self._most_silent:
            self._fail(Failure(TIMED_OUT, "silence"))
        elif self._held > _PATIENCE:
            self._hand_back()
        if self._timer and self._driven:
            self._timer -= 1
            self._heed_timer()

    def shut(self) -> None:
        """Close, and fail who waits. Where a name is being looked up, libcurl's close waits for that, in a thread."""
        if self._closed:
            return
        for fd in self._sockets:
            self._wire.ignores(fd, self)
        self._closed = True
        self._fail(_ENDED)
        self._wire.forgets(self)
        if self._easy.getinfo(pycurl.LOCAL_PORT) > 0 or self._easy.getinfo(pycurl.NAMELOOKUP_TIME):
            self._discard()
        else:
            threading.Thread(target=self._discard, name="looking up", daemon=True).start()

    def _discard(self) -> None:
        self._multi.close()
        self._easy.close()

    def _begin(self) -> None:
        try:
            self._multi.add_handle(self._easy)
        except pycurl.error as cause:
            self._fail(_said(cause))
            return
        self._under_way = True
        self._go_on()

    def _go_on(self) -> None:
        self._driven = True
        self._silent = self._held = 0
        self._wire.drives(self)
        for fd in self._left_alone:
            self._wire.watches(fd, self._sockets[fd], self)
        self._left_alone.clear()
        self._end()
        self._heed_timer()

    def _end(self) -> None:
        if self._driven and self._ended:
            self._fail(_ENDED)

    def _act(self, fd: int, events: int) -> None:
        """Let libcurl do what it can at once, and look what came of it."""
        if not self._driven:
            return
        try:
            self._multi.socket_action(fd, events)
            _, good, bad = self._multi.info_read()
        except pycurl.error as cause:
            self._fail(_said(cause))
            return
        if why := self._fault():
            self._refuse(why)
        elif good or bad:
            self._failure = self._found(bad[0][1], bad[0][2]) if bad else None
            self._finish()
        elif self._pieces and self.waiting >= self._enough:
            self._hand_back()
        else:
            self._heed_timer()

    def _fault(self) -> str | None:
        """Say what is wrong with the lines that came: too many, or a body after what is no head."""
        if self._pieces and self._found_head() is None:
            return "the answer has no head"
        return self._tally.fault(self._lines)

    def _found_head(self) -> Head | None:
        """Give the head of this answer, read once; None before it is there to its end."""
        if self._head is None:
            self._head = read_head(self._lines)
        return self._head

    def _refuse(self, why: str) -> None:
        """Fail, and let nobody see what came."""
        self._head = None
        self._lines.clear()
        self._pieces.clear()
        self._fail(Failure(pycurl.E_FTP_WEIRD_SERVER_REPLY, why))

    def _fail(self, failure: Failure) -> None:
        self._failure = failure
        self._finish()

    def _finish(self) -> None:
        """Take the transfer from libcurl, and hand back what there is."""
        if self._under_way:
            self._under_way = False
            with contextlib.suppress(pycurl.error):
                self._multi.remove_handle(self._easy)
        self._hand_back()

    def _hand_back(self) -> None:
        """Let the user go on; not before there is a head, or an end."""
        if self._under_way and self._found_head() is None:
            return
        self._driven = False
        self._wire.rests(self)
        self._turn.put(None)

    def _watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        """Wait for a socket as libcurl wants it."""
        if self._closed:
            return
        if what == pycurl.POLL_REMOVE:
            self._sockets.pop(fd, None)
            self._left_alone.discard(fd)
            self._wire.ignores(fd, self)
        else:
            reads, writes = what & pycurl.POLL_IN, what & pycurl.POLL_OUT
            self._sockets[fd] = (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if writes else 0)
            self._wire.watches(fd, self._sockets[fd], self)

    def _set_timer(self, timeout_ms: int) -> None:
        self._timer = None if timeout_ms < 0 else math.ceil(timeout_ms / 1000 / TICK_S)

    def _heed_timer(self) -> None:
        """Where libcurl's time is up, have it go on; not at once, for others wait, too."""
        if self._timer == 0 and self._driven:
            self._wire.do(self._be_called)

    def _be_called(self) -> None:
        if self._timer == 0 and self._driven:
            self._timer = None
            self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _found(self, code: int, text: str) -> Failure:
        came = int(self._easy.getinfo(_CAME))
        return Failure(
            code,
            text,
            errno=self._easy.getinfo(pycurl.OS_ERRNO),
            came=came,
            lacking=self.length - came if self.length >= 0 else -1,
            by_proxy=self._has_proxy,
            connect_status=self._easy.getinfo(pycurl.HTTP_CONNECTCODE),
        )


def _said(error: pycurl.error) -> Failure:
    """Take libcurl's code and words from an error; pycurl's own have words alone."""
    return Failure(*error.args) if len(error.args) == 2 else Failure(CLOSED, str(error))
