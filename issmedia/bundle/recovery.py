"""What media with parity hold: what is damaged, and whether it can be had all the same.

Parity is made in `bundle.parity`; what is wanted is rebuilt in `bundle.repair`.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from issmedia.base.digest import Digest
from issmedia.base.events import Advanced, Finished, Report, Started
from issmedia.bundle.blocks import Blocks, Media, read_index
from issmedia.bundle.stripes import in_order
from issmedia.model.recovery import Recovery, beyond_repair


@dataclass(frozen=True, slots=True)
class Place:
    """A file of a volume."""

    volume: int
    path: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """What media hold of a bundle with parity.

    `bad` has of each stripe that lacks blocks the volumes whose block is bad or not at hand; `beyond` are the stripes
    of which more blocks are bad than there is parity. `missing` volumes are not at hand, `damaged` files are of those
    that are. `lost` files of data volumes can neither be read nor rebuilt.
    `protected` are the blobs that parity covers.
    """

    stripes: int
    bad: Mapping[int, frozenset[int]]
    beyond: tuple[int, ...]
    missing: tuple[int, ...]
    damaged: tuple[Place, ...]
    lost: tuple[Place, ...]
    protected: frozenset[Digest]

    @property
    def is_repairable(self) -> bool:
        """Say whether all data can be had."""
        return not self.lost


def assess(recovery: Recovery, media: Media, *, workers: int, report: Report) -> Assessment:
    """Read every block that is at hand once, and say what is damaged and what of it is lost. Changes nothing.

    `NotIntactError` where no index is at hand.
    """
    index = read_index(recovery, media)
    blocks = Blocks(recovery, index, media)
    bad = _bad_blocks(blocks, recovery, workers, report)
    beyond = frozenset(beyond_repair(bad, recovery.m))
    damaged, lost = [], []
    for column, stripes in _by_column(bad, blocks).items():
        for place, hopeless in _bad_files(blocks, column, stripes, beyond):
            if blocks.at_hand(column):
                damaged.append(place)
            if hopeless and column < blocks.k:
                lost.append(place)
    missing = [one.number for number, one in enumerate(blocks.columns) if not blocks.at_hand(number)]
    protected = frozenset(file.sha256 for column in index.data for file in column.files)
    return Assessment(
        recovery.stripes, bad, tuple(sorted(beyond)), tuple(missing), tuple(damaged), tuple(lost), protected
    )


def _bad_blocks(blocks: Blocks, recovery: Recovery, workers: int, report: Report) -> dict[int, frozenset[int]]:
    """Read all stripes; stripe → volumes whose block is bad or not at hand."""

    def look(stripe: int) -> frozenset[int]:
        return frozenset(
            column.number for number, column in enumerate(blocks.columns) if blocks.read(number, stripe) is None
        )

    found: dict[int, frozenset[int]] = {}
    known: dict[frozenset[int], frozenset[int]] = {}
    size = recovery.block * len(blocks.columns)
    report(Started("looking at the blocks", size=size * recovery.stripes))
    with ThreadPoolExecutor(workers) as pool:
        for stripe, volumes in in_order(pool, look, range(recovery.stripes), ahead=workers):
            if volumes:
                found[stripe] = known.setdefault(volumes, volumes)
            report(Advanced(0, size))
    report(Finished("looking at the blocks"))
    return found


def _by_column(bad: Mapping[int, frozenset[int]], blocks: Blocks) -> dict[int, list[int]]:
    """Turn stripe → volumes into column → stripes."""
    found: dict[int, list[int]] = {}
    for number, column in enumerate(blocks.columns):
        if stripes := [stripe for stripe, volumes in sorted(bad.items()) if column.number in volumes]:
            found[number] = stripes
    return found


def _bad_files(blocks: Blocks, column: int, stripes: list[int], beyond: frozenset[int]) -> Iterator[tuple[Place, bool]]:
    """Give the files of a stream that are bad, and whether one of their bad blocks is beyond repair.

    A file that shares all its bad blocks with others may be whole itself: it is read.
    """
    suspects: dict[str, tuple[bool, bool]] = {}
    entries = {}
    for stripe in stripes:
        pieces = list(blocks.shapes[column].pieces(stripe))
        for piece in pieces:
            entries[piece.file.path] = piece.file
            hopeless, alone = suspects.get(piece.file.path, (False, False))
            suspects[piece.file.path] = (hopeless or stripe in beyond, alone or len(pieces) == 1)
    for path, (hopeless, alone) in suspects.items():
        if alone or not blocks.is_intact(column, entries[path]):
            yield Place(blocks.columns[column].number, path), hopeless
