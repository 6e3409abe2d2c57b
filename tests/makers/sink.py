"""A sink in memory: hashes, checks and keeps as the store does."""

import hashlib
import os
import threading
from collections.abc import Iterable
from typing import BinaryIO

from issmedia.base.digest import Digest, take_all
from issmedia.base.errors import UpstreamError
from issmedia.content.base import Expected, Opening, Stream


class MemorySink:
    """Keeps blobs in a dict; `kept` lists digests in the order they came, a blob kept twice twice.

    `expected` are the sizes that were announced.
    """

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.kept: list[Digest] = []
        self.expected: list[int] = []
        self._guard = threading.Lock()

    def expect(self, sizes: Iterable[int]) -> None:
        """Take note of what is to come."""
        self.expected = list(sizes)

    def keep(self, stream: Stream, expected: Expected) -> tuple[Digest, int]:
        """Keep a stream that is as expected; `UpstreamError` for any other."""
        limit = expected.limit if expected.size is None else min(expected.limit, expected.size)
        data, digest = take_all(stream.readinto, limit=limit)
        size = len(data)
        _check(data, size, expected, limit)
        with self._guard:
            self.blobs[digest] = data
            self.kept.append(digest)
        return digest, size

    def fetch(self, opening: Opening, expected: Expected) -> tuple[Digest, int]:
        """Keep a file of an upstream; nothing is resumed."""
        with opening(0) as stream:
            return self.keep(stream, expected)

    def missing(self, blobs: Iterable[tuple[Digest, int]]) -> set[tuple[Digest, int]]:
        """Say which of these blobs are not there with this size."""
        return {(digest, size) for digest, size in blobs if len(self.blobs.get(digest, b"")) != size}

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob as a file that has a descriptor."""
        file = os.fdopen(os.memfd_create("blob", os.MFD_CLOEXEC), "w+b")
        file.write(self.blobs[digest])
        file.seek(0)
        return file


def _check(data: bytes, size: int, expected: Expected, limit: int) -> None:
    if size > limit or (expected.size is not None and size != expected.size):
        raise UpstreamError(f"expected {limit:,} bytes, got {'more' if size > limit else f'{size:,}'}")
    if expected.checksum:
        kind, value = expected.checksum
        found = hashlib.new(kind, data).hexdigest()
        if found != value:
            raise UpstreamError(f"expected {kind} {value}, got {found}")
