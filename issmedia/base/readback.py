"""Reading from the medium what was just written to it: past the page cache, else the check would read memory.

What is read back must have been flushed before (`files.sync_filesystem`): only clean pages can be dropped.
"""

import errno
import mmap
import os
import stat
from enum import IntEnum
from pathlib import Path

from issmedia.base import buffers, direct
from issmedia.base.mounts import FUSE, MEMORY, forget_device, kind_at, kind_of

_BLOCK = 4096


class Means(IntEnum):
    """How a file was read back, the weakest first."""

    NONE = 0
    UNSURE = 1
    DROPPED = 2
    DIRECT = 3

    @property
    def text(self) -> str:
        """Say it."""
        return _TEXTS[self]


_TEXTS = {
    Means.NONE: "not possible: memory file system",
    Means.UNSURE: "perhaps from memory, since FUSE keeps what it likes; verify it when it is mounted again",
    Means.DROPPED: "page cache dropped (posix_fadvise)",
    Means.DIRECT: "O_DIRECT",
}


def best_means(directory: Path) -> Means:
    """Say what reading back from a directory can be at best; to be asked before, once all of it was flushed.

    O_DIRECT passes by the kernel's memory of a file. Where FUSE's program has the file from a device, the kernel has
    that device in memory too: that is dropped here, once for all files.
    """
    kind = kind_at(directory)
    if kind in MEMORY:
        return Means.NONE
    if kind != FUSE:
        return Means.DIRECT
    return Means.DROPPED if forget_device(directory) else Means.UNSURE


class ReadBack:
    """Reads an open file or block device from its beginning; the descriptor stays its owner's, `close` lets go of it.

    With O_DIRECT where the file system can, into an aligned buffer; the cache is dropped first in any case, since some
    file systems take O_DIRECT and read the cache nevertheless. A device that ends a read within a block ends the file.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer: mmap.mmap | None = None
        self._at = self._end = 0
        self._ended = False
        self.means = Means.NONE if _is_in_memory(fd) else self._bypass()

    def readinto(self, buffer: memoryview, /) -> int:
        """Read on into a buffer; 0 at the end."""
        if self._buffer is not None and self._at == self._end and not self._ended:
            self._refill(self._buffer)
        if self._buffer is None:
            return os.readv(self._fd, [buffer])
        count = min(self._end - self._at, len(buffer))
        buffer[:count] = memoryview(self._buffer)[self._at : self._at + count]
        self._at += count
        return count

    def close(self) -> None:
        """Give the buffer back."""
        if self._buffer is not None:
            buffers.give_back(self._buffer)
            self._buffer = None

    def __enter__(self) -> "ReadBack":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _bypass(self) -> Means:
        os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if not direct.begin(self._fd):
            return Means.DROPPED
        self._buffer = buffers.borrow()
        return Means.DIRECT

    def _refill(self, buffer: mmap.mmap) -> None:
        """Read the next piece; a file system that refuses O_DIRECT only now is read without it."""
        try:
            self._at, self._end = 0, os.readv(self._fd, [buffer])
        except OSError as cause:
            if cause.errno != errno.EINVAL:
                raise
            self.close()
            direct.end(self._fd)
            self.means = Means.DROPPED
        else:
            self._ended = self._end % _BLOCK != 0 or self._end == 0


def _is_in_memory(fd: int) -> bool:
    """Say whether a file has no medium; a device lies in no file system, though its name lies in one."""
    return stat.S_ISREG(os.fstat(fd).st_mode) and kind_of(fd) in MEMORY
