"""Memory that bytes pass through, used again and again.

The first touch of new memory costs as much as copying into it. A buffer is aligned to pages, as O_DIRECT wants it.
"""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager

SIZE = 1 << 20
"""Bytes of a buffer."""

_unused: list[mmap.mmap] = []


def borrow() -> mmap.mmap:
    """Take a buffer; `give_back` lets others have it. One that is not given back is the interpreter's to free."""
    return _unused.pop() if _unused else mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def give_back(buffer: mmap.mmap) -> None:
    """Let others have a buffer."""
    _unused.append(buffer)


@contextmanager
def borrowed() -> Iterator[memoryview]:
    """Lend a buffer for the length of the block."""
    buffer = borrow()
    try:
        yield memoryview(buffer)
    finally:
        give_back(buffer)
