"""Writing past the page cache (O_DIRECT), in aligned pieces.

Half of what it costs a processor to write a large file is the page cache: its pages are found, filled, and written out
later. Here a piece goes from our buffer to the device, and the thread that waits for it leaves the processor to those
that hash. That makes nothing durable: metadata, the tail and the device's own cache still want a flush of the file
system.
"""

import fcntl
import os
from collections.abc import Callable

from issmedia.base import buffers

WORTH = 128 << 10
"""From how many bytes a file is worth it."""

PIECE = buffers.SIZE
"""Bytes written at a time; with smaller pieces the device waits for us."""

_BLOCK = 4096
"""What is written directly is a multiple of it, in address, place and length: the largest block of common disks."""

_DIRECT = getattr(os, "O_DIRECT", 0)


def begin(fd: int) -> bool:
    """Let what is done with a file go past the page cache; False where the file system has no such thing."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, _DIRECT)
    except OSError:
        return False
    return _DIRECT != 0


def end(fd: int) -> None:
    """Let it go through the page cache again."""
    fcntl.fcntl(fd, fcntl.F_SETFL, 0)


class Pieces:
    """Gathers in a buffer what is to be written, and hands it to `write` in pieces of `size` bytes, at most `PIECE`.

    `write` must be done with a piece when it returns. A file that is given up leaves its buffer to the interpreter.
    """

    def __init__(self, write: Callable[[memoryview], None], size: int) -> None:
        self._write = write
        self._filled = 0
        self._buffer = buffers.borrow()
        self._piece = memoryview(self._buffer)[:size]

    def room(self) -> memoryview:
        """Say where the next bytes go."""
        return self._piece[self._filled :]

    def took(self, count: int) -> None:
        """Append the first `count` bytes of the room."""
        self._filled += count
        if self._filled == len(self._piece):
            self._write(self._piece)
            self._filled = 0

    def finish(self, fd: int, *, direct: bool) -> None:
        """Write what is left, of a `direct` file the last part of a block through the page cache; no more may come."""
        left = self._piece[: self._filled]
        if direct:
            if blocks := self._filled // _BLOCK * _BLOCK:
                self._write(left[:blocks])
                left = left[blocks:]
            end(fd)
        if left:
            self._write(left)
        buffers.give_back(self._buffer)
