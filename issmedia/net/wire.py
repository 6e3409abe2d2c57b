"""The wire of one run: a helper that receives (`net.receiver`), and a line to it for each connection.

libcurl reads what strangers send, so it does that where there is little to be had: no file can be written there. And it
takes no turns at our interpreter, for which all threads of a process fight: handing itself over for each 16 KiB took
half the time of a sync.
"""

import contextlib
import fcntl
import mmap
import os
import socket
import struct
import threading
import weakref

import msgspec

from issmedia.base.errors import IssmediaError
from issmedia.base.helper import Helper, command, last_line
from issmedia.model.names import shown
from issmedia.net.messages import (
    CANNOT_BE,
    CLOSED,
    ENDED,
    LONGEST,
    ROOM,
    TIMED_OUT,
    Failure,
    Order,
    Told,
    TransferError,
)

RECEIVER = command("issmedia.net.receiver")

_PATIENCE_S = 1.0
"""How long a receiver that let go of a line may take to end."""

_LONGEST_TURN = 5
"""Time limits after which a receiver that says nothing is stuck: it gives up after four."""

_ERRORS = 4096
"""No error of the system has such a number."""

_MOST = 1 << 53
"""No number of a failure is larger."""

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
"""Of memory that the other side made smaller we should die."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Told, strict=True).decode


class Wire:
    """The receiver, which starts with the first line; one that died is replaced with the next. Threads may share it.

    One that says nothing is given up after five time limits and `spare_s`.
    """

    def __init__(self, command: tuple[str, ...] = RECEIVER, *, spare_s: float = 30.0) -> None:
        self._command = command
        self._spare_s = spare_s
        self._guard = threading.Lock()
        self._lines = weakref.WeakSet[Line]()
        self._receiver: Helper | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Give the number of the receiver's process, where one was started."""
        return self._receiver.pid if self._receiver else None

    def line(self) -> "Line":
        """Make the line of a new connection. `TransferError` where the wire is closed."""
        with self._guard:
            if self._closed:
                raise TransferError(ENDED)
            line = Line(self._running(), self._spare_s)
            self._lines.add(line)
        return line

    def close(self) -> None:
        """End all lines, and the receiver."""
        with self._guard:
            self._closed = True
            for one in list(self._lines):
                one.end()
            if self._receiver is not None:
                self._receiver.close()

    def _running(self) -> Helper:
        if self._receiver is not None and not self._receiver.alive:
            self._receiver.close()
            self._receiver = None
        if self._receiver is None:
            try:
                self._receiver = Helper(self._command)
            except OSError as cause:
                raise _no_receiver(str(cause)) from cause
        return self._receiver


class Line:
    """Our end of one connection's line, and the memory that bytes of a body come in. Only `end` is for other threads.

    What stands in the memory may change at any time: whoever judges it copies it first.
    """

    def __init__(self, receiver: Helper, spare_s: float) -> None:
        self._receiver = receiver
        self._spare_s = spare_s
        self._guard = threading.Lock()
        self._ended = False
        self._timeout_s = 0.0
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._socket, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LONGEST)
        memory = os.memfd_create("body", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with theirs, contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died: the first turn tells
                os.ftruncate(memory, ROOM)
                fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
                self._memory = mmap.mmap(memory, ROOM)
                socket.send_fds(receiver.line, [b"+"], [theirs.fileno(), memory])
        finally:
            os.close(memory)
        self.came = memoryview(self._memory)

    @property
    def is_over(self) -> bool:
        """Say whether it was ended, or its receiver is known to have been."""
        return self._ended or self._receiver.was_ended

    def turn(self, order: Order) -> Told:
        """Give an order, and wait for what comes of it. `TransferError` where the line is ended.

        `IssmediaError` where the receiver did not start, or failed by itself.
        """
        data = _encode(order)
        if order is not None and order.timeout_s != self._timeout_s:
            self._wait_at_most(order.timeout_s)
        if len(data) > LONGEST:
            raise TransferError(Failure(CLOSED, "what is asked for is too long"))
        try:
            self._socket.send(data)
            said = self._socket.recv(LONGEST)
        except BlockingIOError as cause:
            self._receiver.kill()
            raise TransferError(Failure(TIMED_OUT, "the receiver is stuck")) from cause
        except OSError:
            said = b""
        if not said:
            raise TransferError(ENDED) if self._ended else _death(self._receiver)
        try:
            told = _decode(said)
        except msgspec.MsgspecError as cause:
            raise TransferError(CANNOT_BE) from cause
        if not _can_be(told):
            raise TransferError(CANNOT_BE)
        return told

    def _wait_at_most(self, timeout_s: float) -> None:
        """Be woken where the receiver, which counts time limits, does not; the kernel counts, and each turn anew."""
        self._timeout_s = timeout_s
        seconds, part = divmod(_LONGEST_TURN * timeout_s + self._spare_s, 1)
        value = struct.pack("@ll", int(seconds), int(part * 1_000_000))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)

    def end(self) -> None:
        """Have whoever waits fail, and whatever is asked later."""
        with self._guard:
            self._ended = True
            with contextlib.suppress(OSError):  # it is closed
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it, and give its memory back; once more does nothing."""
        self.end()
        with self._guard:
            self._socket.close()
        self.came.release()
        self._memory.close()


def _can_be(told: Told) -> bool:
    failure, head = told.failure, told.head
    numbers = (failure.code, failure.came, failure.lacking, failure.connect_status) if failure else ()
    return (
        0 <= told.size <= ROOM
        and -1 <= told.length < _MOST
        and (head is None or 100 <= head.status <= 999)
        and (failure is None or 0 <= failure.errno < _ERRORS)
        and all(-1 <= number < _MOST for number in numbers)
    )


def _death(receiver: Helper) -> Exception:
    """Say how it ended: a `TransferError` unless it could not start, for the next may live."""
    if receiver.exit_code(within_s=_PATIENCE_S) is not None and (said := receiver.last_words()):
        return _no_receiver(last_line(said))
    return TransferError(Failure(CLOSED, "the receiver was ended"))


def _no_receiver(reason: str) -> IssmediaError:
    return IssmediaError(f"the receiver failed: {shown(reason)}", hint="issmedia or Python is not installed whole")
