"""Writing past the page cache (O_DIRECT), in aligned pieces.

Half of what it costs a processor to write a large file is the page cache: its pages are found, filled, and written out
later. Here a piece goes from our buffer to the device, and the thread that waits for it leaves the processor to those
that hash. That makes nothing durable: metadata, the tail and the device's own cache still want a flush of the file
system.
"""

import fcntl
import mmap
import os
from collections.abc import Callable

WORTH = 1 << 20
"""From how many bytes a file is worth it."""

PIECE = 1 << 20
"""Bytes written at a time; with smaller pieces the device waits for us."""

_BLOCK = 4096
"""What is written directly is a multiple of it, in address, place and length: the largest block of common disks."""

_DIRECT = getattr(os, "O_DIRECT", 0)

_unused: list[mmap.mmap] = []
"""Buffers of files that are done: the first touch of new memory for each file would cost what is to be saved."""


def borrow() -> mmap.mmap:
    """Take an aligned buffer of a piece; `give_back` lets the next file have it."""
    return _unused.pop() if _unused else mmap.mmap(-1, PIECE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def give_back(buffer: mmap.mmap) -> None:
    """Let another file have a buffer."""
    _unused.append(buffer)


def begin(fd: int) -> bool:
    """Let writes go past the page cache; False where the file system has no such thing."""
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | _DIRECT)
    except OSError:
        return False
    return _DIRECT != 0


def end(fd: int) -> bool:
    """Let writes go through the page cache; False where they do already."""
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags & ~_DIRECT)
    return flags & _DIRECT != 0


class Pieces:
    """Gathers in an aligned buffer what is to be written, and hands it to `write` in pieces of 1 MiB.

    `write` must be done with a piece when it returns. A file that is given up leaves its buffer to the interpreter.
    """

    def __init__(self, write: Callable[[memoryview], None]) -> None:
        self._write = write
        self._filled = 0
        self._buffer = borrow()

    def add(self, data: bytes) -> None:
        """Append all of `data`."""
        view = memoryview(data)
        while view:
            part = view[: PIECE - self._filled]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            view = view[len(part) :]
            if self._filled == PIECE:
                self._write(memoryview(self._buffer))
                self._filled = 0

    def finish(self, fd: int) -> None:
        """Write what is left, its last part of a block through the page cache. Nothing may be added any more."""
        left = memoryview(self._buffer)[: self._filled]
        blocks = self._filled // _BLOCK * _BLOCK
        if blocks:
            self._write(left[:blocks])
        end(fd)
        if left[blocks:]:
            self._write(left[blocks:])
        give_back(self._buffer)
