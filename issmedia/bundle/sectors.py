"""The bytes of an image: a regular file or a block device, read at offsets and never past its end."""

import errno
import os
import stat
from pathlib import Path

from issmedia.base.errors import FormatError

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_CLOEXEC


class Sectors:
    """An image, open; `size` is what it had in bytes then, `marker` tells it from every other image and directory.

    `device` is the number of the drive, or of the disk that a file lies on.

    Anything but a regular file or a block device is an `OSError`: a link ELOOP, a directory EISDIR, others EINVAL.
    It is seen before it is opened, and what is opened is what was seen: a fifo in its place could block us, a device
    could act. A drive without a disc is ENOMEDIUM.
    """

    def __init__(self, path: Path) -> None:
        seen = os.open(path, _LOOK)
        try:
            facts = os.fstat(seen)
            _require_readable(facts.st_mode)
            self._fd = os.open(f"/proc/self/fd/{seen}", _READ)
        finally:
            os.close(seen)
        self.marker = facts.st_dev << 64 | facts.st_ino
        self.device = facts.st_rdev if stat.S_ISBLK(facts.st_mode) else facts.st_dev
        self.size = os.lseek(self._fd, 0, os.SEEK_END)

    def read(self, offset: int, size: int) -> bytes:
        """Read so many bytes, no fewer; `FormatError` where they are not all in the image, `OSError` of the medium."""
        self._require_within(offset + size)
        data = bytearray(size)
        self.readinto(offset, memoryview(data))
        return bytes(data)

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer; errors as of `read`."""
        self._require_within(offset + len(buffer))
        while buffer:  # a device gives what it could read, and fails at the next call
            if not (count := os.preadv(self._fd, [buffer], offset)):
                raise OSError(errno.EIO, "the image became shorter")
            buffer, offset = buffer[count:], offset + count

    def _require_within(self, end: int) -> None:
        if end > self.size:
            raise FormatError("lies beyond the end of the image")

    def close(self) -> None:
        """Close the image; a file of it that is still open can no longer be read, nor take another's bytes for its."""
        fd, self._fd = self._fd, -1
        os.close(fd)


def _require_readable(mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "a symbolic link")
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, "a directory")
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise OSError(errno.EINVAL, "neither a regular file nor a block device")
