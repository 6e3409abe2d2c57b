"""`Digest`, and hashing in the same pass as copying.

Bytes are read to where they are written from: a sink says where the next ones go (`Sink.room`), and takes them over
when they were hashed there. What is read is a function like `io.RawIOBase.readinto` (`Read`).
"""

import hashlib
import re
from collections.abc import Callable
from typing import NewType, Protocol

from issmedia.base import buffers
from issmedia.base.work import require_wanted

Digest = NewType("Digest", str)
"""A SHA-256 as 64 lower-case hexadecimal digits."""

Read = Callable[[memoryview], int | None]
"""Puts the next bytes at the beginning of a buffer that is not empty, and says how many; 0 at the end."""

Hand = Callable[[memoryview], object]
"""Is shown bytes that were read; they are there only until it returns."""

CHUNK = 128 << 10
"""Bytes handed on at a time. Larger writes make the kernel look for huge pages, which cost up to five times as much on
a virtual machine (ext4, Linux 6.18: 1 GB in 0.5 s at 128 KiB, 0.7 to 4 s at 1 MiB); smaller ones gain nothing."""

_HANDED = 512 << 10
"""Bytes handed on where nothing is written: threads that hash seldom meet then, and all still lies near a processor."""

_HEX = re.compile(r"[0-9a-f]{64}\Z")


class Sink(Protocol):
    """Where copied bytes go."""

    def room(self) -> memoryview:
        """Say where the next bytes go; never nowhere."""

    def took(self, count: int, /) -> None:
        """Take over the first `count` bytes of the room."""


def is_digest(text: str) -> bool:
    """Say whether `text` is 64 lower-case hexadecimal digits."""
    return _HEX.match(text) is not None


def digest_of(data: bytes) -> Digest:
    """Hash bytes that are in memory."""
    return Digest(hashlib.sha256(data).hexdigest())


def copy_and_hash(
    read: Read, sink: Sink, *, limit: int, also: tuple[str, ...] = ()
) -> tuple[Digest, int, dict[str, str]]:
    """Read to the end, or to `limit` + 1 bytes, hashing what `sink` takes.

    Returns the digest, the bytes read, and the hex digests of the algorithms named in `also`.
    In a thread of `work.each` that was given up, `GivenUpError` ends it before the next part is taken.
    A source longer than `limit` shows as a size of `limit` + 1: the caller compares sizes.
    """
    sha256 = hashlib.sha256()
    others = {name: hashlib.new(name, usedforsecurity=False) for name in also}
    size = 0
    while size <= limit and (count := read(room := sink.room()[: limit + 1 - size])):
        require_wanted()
        part = room[:count]
        sha256.update(part)
        for other in others.values():
            other.update(part)
        sink.took(count)
        size += count
    return Digest(sha256.hexdigest()), size, {name: h.hexdigest() for name, h in others.items()}


def hash_all(
    read: Read, *, limit: int, also: tuple[str, ...] = (), hand: Hand = len
) -> tuple[Digest, int, dict[str, str]]:
    """Do as `copy_and_hash`, and only show all to `hand`."""
    with buffers.borrowed() as buffer:
        return copy_and_hash(read, _Handing(buffer[:_HANDED], hand), limit=limit, also=also)


def take_all(read: Read, *, limit: int) -> tuple[bytes, Digest]:
    """Read to the end, or to `limit` + 1 bytes, into memory; give the bytes and their digest."""
    found = bytearray()
    digest, _, _ = hash_all(read, limit=limit, hand=found.extend)
    return bytes(found), digest


class _Handing:
    """A sink that shows what it is given."""

    def __init__(self, buffer: memoryview, hand: Hand) -> None:
        self._buffer = buffer
        self._hand = hand

    def room(self) -> memoryview:
        """Give all of the buffer."""
        return self._buffer

    def took(self, count: int) -> None:
        """Show what stands there."""
        self._hand(self._buffer[:count])
