"""`Digest`, and hashing in the same pass as copying."""

import hashlib
import re
from collections.abc import Callable
from typing import NewType

from issmedia.base.work import require_wanted

Digest = NewType("Digest", str)
"""A SHA-256 as 64 lower-case hexadecimal digits."""

CHUNK = 128 << 10
"""Bytes read at a time. Larger writes make the kernel look for huge pages, which cost up to five times as much on a
virtual machine (ext4, Linux 6.18: 1 GB in 0.5 s at 128 KiB, 0.7 to 4 s at 1 MiB); smaller ones gain nothing."""

_HEX = re.compile(r"[0-9a-f]{64}\Z")


def is_digest(text: str) -> bool:
    """Say whether `text` is 64 lower-case hexadecimal digits."""
    return _HEX.match(text) is not None


def digest_of(data: bytes) -> Digest:
    """Hash bytes that are in memory."""
    return Digest(hashlib.sha256(data).hexdigest())


def copy_and_hash(
    read: Callable[[int], bytes],
    write: Callable[[bytes], object],
    *,
    limit: int,
    also: tuple[str, ...] = (),
) -> tuple[Digest, int, dict[str, str]]:
    """Read to the end, or to `limit` + 1 bytes, hashing what is handed to `write`.

    Returns the digest, the bytes read, and the hex digests of the algorithms named in `also`.
    In a thread of `work.each` that was given up, `GivenUpError` ends it before the next chunk.
    A source longer than `limit` shows as a size of `limit` + 1: the caller compares sizes.
    """
    sha256 = hashlib.sha256()
    others = {name: hashlib.new(name, usedforsecurity=False) for name in also}
    size = 0
    while size <= limit and (chunk := read(min(CHUNK, limit + 1 - size))):
        require_wanted()
        sha256.update(chunk)
        for other in others.values():
            other.update(chunk)
        write(chunk)
        size += len(chunk)
    return Digest(sha256.hexdigest()), size, {name: h.hexdigest() for name, h in others.items()}
