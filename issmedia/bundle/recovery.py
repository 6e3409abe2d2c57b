"""What media with parity hold: what of it is lost, because it can neither be read nor rebuilt.

Parity is made in `bundle.parity`; what is wanted is rebuilt in `bundle.repair`.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.events import Advanced, Finished, Report, Started
from issmedia.bundle.blocks import Blocks, Media, read_index
from issmedia.bundle.stripes import in_order
from issmedia.model.recovery import Recovery
from issmedia.model.tree import Entry


class Place(msgspec.Struct, frozen=True):
    """A file of a volume."""

    volume: int
    path: str


class Assessment(msgspec.Struct, frozen=True):
    """What media hold of a bundle with parity: `lost` files of data volumes; `protected` blobs, which parity covers."""

    lost: tuple[Place, ...]
    protected: frozenset[Digest]


def assess(recovery: Recovery, media: Media, *, workers: int, report: Report) -> Assessment:
    """Read every block that is at hand once, and say what is lost. Changes nothing.

    `NotIntactError` where no index is at hand.
    """
    index = read_index(recovery, media)
    blocks = Blocks(recovery, index, media)
    lost = tuple(
        Place(index.data[column].number, file.path)
        for column, stripes in _beyond_repair(blocks, recovery, workers, report).items()
        for file in _lost_files(blocks, column, stripes)
    )
    return Assessment(lost, frozenset(file.sha256 for column in index.data for file in column.files))


def _beyond_repair(blocks: Blocks, recovery: Recovery, workers: int, report: Report) -> dict[int, list[int]]:
    """Read all stripes; of each data column the bad blocks in stripes that have more of them than there is parity."""

    def hopeless(stripe: int) -> list[int]:
        bad = [column for column in range(len(blocks.columns)) if blocks.read(column, stripe) is None]
        return [column for column in bad if column < blocks.k] if len(bad) > recovery.m else []

    found: dict[int, list[int]] = {column: [] for column in range(blocks.k)}
    size = recovery.block * len(blocks.columns)
    report(Started("looking at the blocks", size=size * recovery.stripes))
    with ThreadPoolExecutor(workers) as pool:
        for stripe, columns in in_order(pool, hopeless, range(recovery.stripes), ahead=workers):
            for column in columns:
                found[column].append(stripe)
            report(Advanced(0, size))
    report(Finished("looking at the blocks"))
    return found


def _lost_files(blocks: Blocks, column: int, stripes: list[int]) -> Iterator[Entry]:
    """Give the files of a stream that lie in these bad blocks of it.

    A file that shares all of them with others may be whole itself: it is read.
    """
    suspects: dict[Entry, bool] = {}
    for stripe in stripes:
        files = [piece.file for piece in blocks.shapes[column].pieces(stripe)]
        for file in files:
            suspects[file] = suspects.get(file, False) or len(files) == 1
    for file, alone in suspects.items():
        if alone or not blocks.is_intact(column, file):
            yield file
