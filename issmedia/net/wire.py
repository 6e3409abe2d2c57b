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
import threading
import weakref

import msgspec

from issmedia.base.errors import IssmediaError
from issmedia.base.helper import Helper, command, last_line
from issmedia.model.names import shown
from issmedia.net.messages import CLOSED, ENDED, LONGEST, ROOM, Failure, Order, Told, TransferError

RECEIVER = command("issmedia.net.receiver")

_PATIENCE_S = 5.0
"""How long a receiver that let go of a line may take to end."""

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
"""Of memory that the other side made smaller we should die."""

_CANNOT_BE = Failure(CLOSED, "the receiver said what cannot be")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Told, strict=True).decode


class Wire:
    """The receiver, which starts with the first line; one that died is replaced with the next. Threads may share it."""

    def __init__(self, command: tuple[str, ...] = RECEIVER) -> None:
        self._command = command
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
            line = Line(self._running())
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

    def __init__(self, receiver: Helper) -> None:
        self._receiver = receiver
        self._guard = threading.Lock()
        self._ended = False
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
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

    def turn(self, order: Order) -> Told:
        """Give an order, and wait for what comes of it. `TransferError` where the line is ended.

        `IssmediaError` where the receiver did not start, or failed by itself.
        """
        data = _encode(order)
        if len(data) > LONGEST:
            raise TransferError(Failure(CLOSED, "what is asked for is too long"))
        try:
            self._socket.send(data)
            said = self._socket.recv(LONGEST)
        except OSError:
            said = b""
        if not said:
            raise TransferError(ENDED) if self._ended else _death(self._receiver)
        try:
            told = _decode(said)
        except msgspec.MsgspecError as cause:
            raise TransferError(_CANNOT_BE) from cause
        if not 0 <= told.size <= ROOM:
            raise TransferError(_CANNOT_BE)
        return told

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


def _death(receiver: Helper) -> Exception:
    """Say how it ended: a `TransferError` where somebody killed it, for the next may live."""
    code = receiver.exit_code(within_s=_PATIENCE_S)
    if code is None or code < 0:
        return TransferError(Failure(CLOSED, "the receiver was killed"))
    return _no_receiver(last_line(receiver.last_words()))


def _no_receiver(reason: str) -> IssmediaError:
    return IssmediaError(f"the receiver failed: {shown(reason)}", hint="issmedia or Python is not installed whole")
