"""What parity can give, told from names alone: which blocks are in reach, without reading any."""

from collections.abc import Iterator, Set

from issmedia.base.digest import Digest
from issmedia.bundle.blocks import Media
from issmedia.model.recovery import Column, Recovery, RecoveryIndex, Shape


def in_reach(recovery: Recovery, index: RecoveryIndex, media: Media, lacking: Set[Digest]) -> frozenset[Digest]:
    """Say which of these blobs parity gives, if all that is at hand is as it should be.

    A block is in reach on a volume at hand, or where the store has all of it. A volume of unknown number is one of
    those that are not at hand, and may have any block of it.
    """
    away = [_Away(column, recovery, media) for column in index.columns if column.number not in media.volumes]
    most = recovery.m + len(media.others)
    short: dict[int, bool] = {}

    def is_short(stripe: int) -> bool:
        if stripe not in short:
            short[stripe] = sum(1 for one in away if one.lacks(stripe)) > most
        return short[stripe]

    return frozenset(
        digest
        for column in index.data
        for digest, stripes in _stripes(column, recovery, lacking)
        if not any(map(is_short, stripes))
    )


class _Away:
    """A volume that is not at hand, of which the store may have something."""

    def __init__(self, column: Column, recovery: Recovery, media: Media) -> None:
        store = media.store
        self._shape = Shape(column.files, recovery.block)
        self._gone = {file.sha256 for file in column.files if store is None or not store.has(file.sha256, file.size)}

    def lacks(self, stripe: int) -> bool:
        """Say whether a block cannot be had; past the end of a stream it is zeros."""
        return any(piece.file.sha256 in self._gone for piece in self._shape.pieces(stripe))


def _stripes(column: Column, recovery: Recovery, lacking: Set[Digest]) -> Iterator[tuple[Digest, range]]:
    """Give the stripes in which each of these blobs lies on a volume."""
    shape = Shape(column.files, recovery.block)
    for number, file in enumerate(column.files):
        if file.sha256 in lacking:
            yield file.sha256, shape.blocks_of(number)
