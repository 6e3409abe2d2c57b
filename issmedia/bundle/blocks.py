"""Reading blocks of damaged media: each checked against its digest in the index, so whatever is given is right.

A block comes from the store and from the volumes that are at hand, piece by piece. What cannot be read, is short or
differs costs the block, not the file. Lost data blocks of a stripe are computed from its others.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import partial

import msgspec

from issmedia.base.digest import digest_of
from issmedia.base.errors import DamagedBlobError, FormatError, IssmediaError, NotIntactError, Problem
from issmedia.bundle.listing import unpack_capped
from issmedia.bundle.stripes import Code
from issmedia.bundle.taking import hash_only, take_bytes, take_file
from issmedia.depot.store import Store
from issmedia.model.manifest import VolumeSource
from issmedia.model.recovery import (
    INDEX,
    MAX_INDEX,
    Piece,
    Recovery,
    RecoveryIndex,
    Shape,
    block_digest,
    parse_index,
)
from issmedia.model.tree import Entry

_UNREADABLE = (OSError, NotIntactError, FormatError, DamagedBlobError)
"""What a medium or a store that is failing raises: here it is a bad block."""


class Media(msgspec.Struct, frozen=True):
    """Where blocks may come from: the store, volumes by number, and volumes of the bundle whose number is not known.

    A volume's `SHA256SUMS` need not be good: blocks are found by the paths in the index, and checked by its digests.
    """

    store: Store | None
    volumes: Mapping[int, VolumeSource]
    others: Sequence[VolumeSource] = ()

    def of(self, number: int) -> tuple[VolumeSource, ...]:
        """Give the volumes that may be the one of this number."""
        known = self.volumes.get(number)
        return (known, *self.others) if known else tuple(self.others)


def read_index(recovery: Recovery, media: Media, *, most: int = MAX_INDEX) -> RecoveryIndex:
    """Read the index from the store or from the first parity volume whose copy is good; `NotIntactError` without any.

    A copy that has the digest in the manifest and is no index is a `FormatError`: it was made so. An index of more than
    `most` bytes is one too, before it is read or unpacked.
    """
    if recovery.index.size > most:
        raise FormatError(f"is {recovery.index.size} bytes long, at most {most} are allowed", where=INDEX)
    problems = []
    for where, take in _copies(recovery, media):
        try:
            packed = take()
        except _UNREADABLE as bad:
            problems.append(Problem(where, bad.message if isinstance(bad, IssmediaError) else "cannot be read"))
            continue
        return parse_index(unpack_capped(packed, most, what="an index", where=where), recovery, where=where)
    numbers = ", ".join(map(str, recovery.volumes))
    raise NotIntactError(
        "no parity volume with a good index is at hand: nothing can be repaired",
        where=INDEX,
        hint=f"add one of the parity volumes {numbers}; each has the whole index",
        problems=problems,
    )


class Blocks:
    """The blocks of all streams, numbered as the code counts them: columns 0 to k - 1 data, then parity.

    Threads may share it; `read` and `stripe` hold one stripe in memory at most.
    """

    def __init__(self, recovery: Recovery, index: RecoveryIndex, media: Media) -> None:
        self.columns = index.columns
        self.shapes = [Shape(column.files, recovery.block) for column in self.columns]
        self.k = recovery.k
        self._m = recovery.m
        self._code = Code(recovery.k, recovery.m)
        self._media = media
        self._zeros = bytes(recovery.block)

    def read(self, column: int, number: int) -> bytes | None:
        """Give one block, or None where it is bad or not at hand; past the end of a data stream it is zeros."""
        if number >= self.shapes[column].blocks:
            return self._zeros
        expected, pieces = block_digest(self.columns[column], number), list(self.shapes[column].pieces(number))
        for source in self._media.of(self.columns[column].number) or (None,):
            for data in self._tries(pieces, source):
                if data is not None and digest_of(data) == expected:
                    return data
        return None

    def stripe(self, number: int, wanted: Set[int]) -> "Rebuilt":
        """Give the data blocks of these columns, computed where they are bad and enough others are good.

        Where too many are not at hand to compute any, the others are not read.
        """
        failed = {column for column in range(len(self.columns)) if self._is_absent(column, number)}
        good: dict[int, bytes] = {}
        self._read(number, sorted(wanted), good, failed)
        found, bad = dict(good), wanted - good.keys()
        if not bad:
            return Rebuilt(found, frozenset(), 0)
        if len(failed) <= self._m:
            self._read(number, [column for column in range(len(self.columns)) if column not in wanted], good, failed)
        if len(failed) > self._m:
            return Rebuilt(found, frozenset(failed), len(failed) - self._m)
        computed = self._code.missing(good)
        return Rebuilt(found | {column: computed[column] for column in bad}, frozenset(), 0)

    def _read(self, number: int, columns: Sequence[int], good: dict[int, bytes], failed: set[int]) -> None:
        """Read blocks of a stripe until as many are good as there are data blocks."""
        for column in columns:
            if len(good) == self.k:
                return
            if column in failed:
                continue
            if (data := self.read(column, number)) is None:
                failed.add(column)
            else:
                good[column] = data

    def _is_absent(self, column: int, number: int) -> bool:
        """Say whether no volume may have a block, and the store lacks something of it; nothing is read."""
        if self.at_hand(column) or number >= self.shapes[column].blocks:
            return False
        store = self._media.store
        pieces = self.shapes[column].pieces(number)
        return store is None or not all(store.has(piece.file.sha256, piece.file.size) for piece in pieces)

    def is_intact(self, column: int, file: Entry) -> bool:
        """Read a whole file, and say whether the store or a volume has it as the index names it."""
        store = self._media.store
        if store is not None and store.has(file.sha256, file.size):
            return True
        sources = self._media.of(self.columns[column].number)
        return any(_has_whole(source, file) for source in sources)

    def at_hand(self, column: int) -> bool:
        """Say whether there is a volume that may be this one."""
        return bool(self._media.of(self.columns[column].number))

    def _tries(self, pieces: Sequence[Piece], source: VolumeSource | None) -> Iterator[bytes | None]:
        """Gather a block with what the store has of it, then, if that was something, without."""
        data, is_mixed = self._gathered(pieces, self._media.store, source)
        yield data
        if is_mixed:
            yield self._gathered(pieces, None, source)[0]

    def _gathered(
        self, pieces: Sequence[Piece], store: Store | None, source: VolumeSource | None
    ) -> tuple[bytes | None, bool]:
        """Join the pieces, padded to a block, or give None; and say whether the store had any of them."""
        parts, is_mixed = list[bytes](), False
        for piece in pieces:
            part = _stored(store, piece)
            is_mixed |= part is not None
            if part is None and (part := _raw(source, piece)) is None:
                return None, is_mixed
            parts.append(part)
        if (size := sum(map(len, parts))) < len(self._zeros):
            parts.append(self._zeros[size:])
        return parts[0] if len(parts) == 1 else b"".join(parts), is_mixed


class Rebuilt(msgspec.Struct, frozen=True):
    """Data blocks of a stripe by column. Where some are lost: the columns that failed, and how many more are needed."""

    blocks: Mapping[int, bytes]
    failed: frozenset[int]
    short: int


def _stored(store: Store | None, piece: Piece) -> bytes | None:
    """Read a piece of a blob in the store."""
    if store is None or not store.has(piece.file.sha256, piece.file.size):
        return None
    with contextlib.suppress(*_UNREADABLE), store.open(piece.file.sha256) as blob:
        return _exactly(lambda offset, size: os.pread(blob.fileno(), size, offset), piece)
    return None


def _raw(source: VolumeSource | None, piece: Piece) -> bytes | None:
    """Read a piece off a volume, whatever its file is like elsewhere."""
    if source is None:
        return None
    with contextlib.suppress(*_UNREADABLE), source.open(piece.file.path) as file:
        return _exactly(file.pread, piece)
    return None


def _exactly(pread: Callable[[int, int], bytes], piece: Piece) -> bytes | None:
    parts, offset, end = list[bytes](), piece.offset, piece.offset + piece.size
    while offset < end:
        data = pread(offset, end - offset)
        if not data:
            return None
        parts.append(data)
        offset += len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _has_whole(source: VolumeSource, file: Entry) -> bool:
    try:
        with source.open(file.path) as opened:
            take_file(opened, file.sha256, hash_only, size=file.size, most=file.size)
    except _UNREADABLE:
        return False
    return True


def _copies(recovery: Recovery, media: Media) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Find where the index may lie, with how to take it from there."""
    entry = recovery.index
    store = media.store
    if store is not None and store.has(entry.sha256, entry.size):
        yield f"store/{entry.sha256}", lambda: store.read(entry.sha256, entry.size)
    sources = [(f"volume {number}", media.volumes[number]) for number in recovery.volumes if number in media.volumes]
    for name, source in (*sources, *(("a volume of unknown number", source) for source in media.others)):
        yield f"{name}: {INDEX}", partial(take_bytes, source, INDEX, entry.sha256, size=entry.size, most=entry.size)
