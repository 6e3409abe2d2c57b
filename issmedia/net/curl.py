"""libcurl: what is asked over one connection, one request at a time; in the receiver.

libcurl receives only in our turn, which begins when all that came before was read. Nobody but this and
`net.curl_options` uses pycurl.
"""

import contextlib
import json
import math
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from mmap import mmap

import pycurl

from issmedia.net.curl_options import Options, of_connection, of_limits
from issmedia.net.heads import Head, Tally, read_head
from issmedia.net.loop import TICK_S, Loop
from issmedia.net.messages import CLOSED, LONGEST, NO_HTTP, ROOM, TIMED_OUT, Ask, Failure, Told, order_of

_ENOUGH = 512 << 10
_LITTLE = 64 << 10
"""Bytes of a body that are handed over at a time; little where a rate is set."""

_PATIENCE = 2
"""Ticks that what came waits for more to come."""

_LONGEST_TURN = 4
"""Time limits after which there must be something: a head that trickles without end is as good as silence."""

_READABLE = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR

_LENGTH = getattr(pycurl, "CONTENT_LENGTH_DOWNLOAD_T", None) or pycurl.CONTENT_LENGTH_DOWNLOAD
_CAME = getattr(pycurl, "SIZE_DOWNLOAD_T", None) or pycurl.SIZE_DOWNLOAD
"""Old releases of pycurl give floats, new ones warn of them."""


class Transfer:
    """One connection, and what is asked over it; `line` and `memory` are shared with whoever asks (`net.wire.Line`)."""

    def __init__(self, line: socket.socket, memory: mmap, loop: Loop) -> None:
        self._line = line
        self._memory = memory
        self._loop = loop
        self._easy = pycurl.Curl()
        self._multi = pycurl.CurlMulti()
        self._lines: list[bytes] = []
        self._pieces: deque[bytes] = deque()
        self._headers: list[str] = []
        self._limits = (0.0, False)
        self._has_proxy = False
        self._sockets: dict[int, int] = {}
        self._left_alone: set[int] = set()
        self._has_turn = False
        self._under_way = False
        self._closed = False
        self._failure: Failure | None = None
        self._enough = 0
        self._head: Head | None = None
        self._has_told = False
        self._tally = Tally()
        self._most_silent = self._silent = self._held = self._ticks = 0
        self._clockwork = partial(self._safely, self._tick)
        self._timer: int | None = None
        """Ticks until libcurl wants to go on by itself."""
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._easy.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self._easy.setopt(pycurl.WRITEFUNCTION, self._pieces.append)
        line.setblocking(False)
        loop.watches(line.fileno(), select.EPOLLIN, partial(self._safely, self._hear))

    def _safely(self, step: Callable[..., None], *values: int) -> None:
        """Do a step; what a stranger, or want of memory, makes fail there ends this connection, and no other."""
        try:
            step(*values)
        except (pycurl.error, OSError, ValueError, RuntimeError, MemoryError):
            self._shut()

    def _hear(self, _events: int) -> None:
        """Take an order, which gives us the turn; an end of the line is the end of all."""
        try:
            said = self._line.recv(LONGEST)
        except BlockingIOError:
            return
        if not said:
            self._shut()
            return
        self._has_turn = True
        order = order_of(json.loads(said))
        if order is None:
            self._go_on()
        else:
            self._begin(order)

    def _begin(self, asked: Ask) -> None:
        self._most_silent = math.ceil(asked.timeout_s / TICK_S)
        self._enough = _ENOUGH if asked.steady else _LITTLE
        self._lines.clear()
        self._tally = Tally()
        self._head = None
        self._has_told = False
        self._failure = None
        try:
            self._say(asked)
            self._multi.add_handle(self._easy)
        except (pycurl.error, UnicodeError) as cause:
            self._fail(_said(cause))
            return
        self._under_way = True
        self._go_on()

    def _say(self, asked: Ask) -> None:
        """Tell libcurl what is to be asked, as far as it differs from the last time."""
        if asked.whose is not None:
            self._has_proxy = asked.whose.proxy is not None
            self._set(of_connection(asked.whose))
        self._easy.setopt(pycurl.URL, asked.url)
        if asked.headers != self._headers:
            self._easy.setopt(pycurl.HTTPHEADER, asked.headers)
            self._headers = asked.headers
        if (limits := (asked.timeout_s, asked.steady)) != self._limits:
            self._limits = limits
            self._set(of_limits(asked.timeout_s, steady=asked.steady))

    def _set(self, options: Options) -> None:
        for option, value in options.items():
            self._easy.setopt(option, value)

    def _go_on(self) -> None:
        """Receive more; where there is more than there was room for, that is enough."""
        self._silent = self._held = self._ticks = 0
        if not self._under_way or self._waiting >= self._enough:
            self._hand_over()
            return
        self._loop.drives(self._clockwork)
        for fd in self._left_alone:
            self._loop.watches(fd, self._sockets[fd], partial(self._safely, self._ready, fd))
        self._left_alone.clear()
        self._heed_timer()

    def _ready(self, fd: int, events: int) -> None:
        """Let libcurl receive or send; when we have no turn the socket is left alone."""
        if not self._has_turn:
            self._left_alone.add(fd)
            self._loop.ignores(fd)
            return
        self._silent = 0
        reads, writes = events & _READABLE, events & select.EPOLLOUT
        self._act(fd, (pycurl.CSELECT_IN if reads else 0) | (pycurl.CSELECT_OUT if writes else 0))

    def _tick(self) -> None:
        """Count: give up who is silent, hand over what came some time ago, and let libcurl look at its own times."""
        self._silent += 1
        self._ticks += 1
        self._held += bool(self._pieces or (self._head and not self._has_told))
        if self._silent > self._most_silent or self._ticks > _LONGEST_TURN * self._most_silent:
            self._fail(Failure(TIMED_OUT, "silence"))
        elif self._held > _PATIENCE:
            self._hand_over()
        if self._timer and self._has_turn:
            self._timer -= 1
            self._heed_timer()

    def _act(self, fd: int, events: int) -> None:
        """Let libcurl do what it can at once, and look what came of it."""
        if not self._has_turn:
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
        elif self._pieces and self._waiting >= self._enough:
            self._hand_over()
        else:
            self._heed_timer()

    @property
    def _waiting(self) -> int:
        return sum(map(len, self._pieces))

    def _fault(self) -> str | None:
        """Say what is wrong with the lines that came: too many, or a body after what is no head."""
        head = self._found_head()
        if head is None and self._pieces:
            return "the answer has no head"
        if head is not None and head.is_endless:
            return "a line of its head has no end"
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
        self._fail(Failure(NO_HTTP, why))

    def _fail(self, failure: Failure) -> None:
        self._failure = failure
        self._finish()

    def _finish(self) -> None:
        """Take the transfer from libcurl, and hand over what there is."""
        if self._under_way:
            self._under_way = False
            with contextlib.suppress(pycurl.error):
                self._multi.remove_handle(self._easy)
        self._hand_over()

    def _hand_over(self) -> None:
        """Let the other side have its turn, with what came; not before there is a head, or an end."""
        head = self._found_head()
        if self._under_way and head is None:
            return
        self._has_turn = False
        self._has_told = head is not None
        self._loop.rests(self._clockwork)
        count = self._moved()
        more = self._under_way or bool(self._pieces)
        failure = None if self._pieces else self._failure
        told = Told(count, more, head, self._length if head else -1, failure)
        self._line.send(json.dumps(told, ensure_ascii=False).encode())

    def _moved(self) -> int:
        """Move what came into the shared memory, as far as it goes; say how many bytes."""
        pieces, memory, at = self._pieces, self._memory, 0
        while pieces and at < ROOM:
            piece = pieces.popleft()
            if (end := at + len(piece)) > ROOM:
                pieces.appendleft(piece[ROOM - at :])
                piece, end = piece[: ROOM - at], ROOM
            memory[at:end] = piece
            at = end
        return at

    def _watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        """Wait for a socket as libcurl wants it."""
        if self._closed:
            return
        if what == pycurl.POLL_REMOVE:
            self._sockets.pop(fd, None)
            self._left_alone.discard(fd)
            self._loop.ignores(fd)
        else:
            reads, writes = what & pycurl.POLL_IN, what & pycurl.POLL_OUT
            self._sockets[fd] = (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if writes else 0)
            self._loop.watches(fd, self._sockets[fd], partial(self._safely, self._ready, fd))

    def _set_timer(self, timeout_ms: int) -> None:
        self._timer = None if timeout_ms < 0 else math.ceil(timeout_ms / 1000 / TICK_S)

    def _heed_timer(self) -> None:
        """Where libcurl's time is up, have it go on; not at once, for others wait, too."""
        if self._timer == 0 and self._has_turn:
            self._loop.soon(partial(self._safely, self._be_called))

    def _be_called(self) -> None:
        if self._timer == 0 and self._has_turn:
            self._timer = None
            self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _shut(self) -> None:
        """Close. Where a name is being looked up, libcurl's close waits for that, in a thread."""
        if self._closed:
            return
        self._closed = True
        self._has_turn = False
        self._loop.rests(self._clockwork)
        for fd in (self._line.fileno(), *self._sockets):
            self._loop.ignores(fd)
        self._line.close()
        self._memory.close()
        if self._easy.getinfo(pycurl.LOCAL_PORT) > 0 or self._easy.getinfo(pycurl.NAMELOOKUP_TIME):
            self._discard()
        else:
            threading.Thread(target=self._discard, name="looking up", daemon=True).start()

    def _discard(self) -> None:
        with contextlib.suppress(pycurl.error):
            if self._under_way:
                self._multi.remove_handle(self._easy)
        self._multi.close()
        self._easy.close()

    @property
    def _length(self) -> int:
        return int(self._easy.getinfo(_LENGTH))

    def _found(self, code: int, text: str) -> Failure:
        came = int(self._easy.getinfo(_CAME))
        return Failure(
            code,
            _clean(text),
            errno=self._easy.getinfo(pycurl.OS_ERRNO),
            came=came,
            lacking=self._length - came if self._length >= 0 else -1,
            by_proxy=self._has_proxy,
            connect_status=self._easy.getinfo(pycurl.HTTP_CONNECTCODE),
        )


def _said(error: Exception) -> Failure:
    """Take libcurl's code and words from an error; pycurl's own have words alone."""
    if isinstance(error, pycurl.error) and len(error.args) == 2:
        return Failure(error.args[0], _clean(error.args[1]))
    return Failure(CLOSED, _clean(str(error)))


def _clean(text: str) -> str:
    """Leave out what is no text: libcurl repeats what a server said."""
    return text.encode("utf-8", "replace").decode()
