"""Reading what can only be read into a buffer, and giving bytes to what reads so."""

from collections.abc import Callable
from typing import Protocol

from issmedia.base.digest import Read


class Readable(Protocol):
    """A file or a stream that is open."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Read on into a buffer; 0 at the end."""


def some(file: Readable, size: int) -> bytes:
    """Read up to `size` bytes, in one call; empty at the end."""
    buffer = memoryview(bytearray(size))
    return bytes(buffer[: file.readinto(buffer)])


def whole(file: Readable, *, chunk: int = 1000) -> bytes:
    """Read to the end."""
    return b"".join(iter(lambda: some(file, chunk), b""))


def giving(read: Callable[[int], bytes]) -> Read:
    """Make a `Read` of a function that is asked for so many bytes, and gives no more."""

    def readinto(buffer: memoryview) -> int:
        data = read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    return readinto
