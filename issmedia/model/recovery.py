"""Parity volumes: what the manifest says of them, their index, and where a file lies in a stream of blocks.

The stream of a data volume is its payload blobs in the order of their paths, one after another, padded with zeros to
whole blocks. Stripe s is block s of every data stream (zeros where a stream is shorter) and of every parity stream: of
these k + m blocks any k give the others. A parity stream is a parity volume's files, one after another.

The index names every block of every stream by its digest. It travels as one zstd frame, the same bytes on every parity
volume; the manifest names them. Its canonical form is one line of JSON, fields in the order of these types.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Annotated, Literal

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, UsageError
from issmedia.model import names, strictjson
from issmedia.model.tree import DigestField, Entry, SizeField

FORMAT = "issmedia-recovery"
VERSION = 1
INDEX = "parity/index.json.zst"
MAX_INDEX = 512 << 20
"""The longest index that is written or read, in bytes: room for some eight million blocks."""

MAX_VOLUMES = 256
"""Data and parity volumes together: the code counts in one byte."""

LEAST_BLOCK, USUAL_BLOCK, MAX_BLOCK = 4 << 10, 1 << 20, 16 << 20
MAX_STRIPE = 64 << 20
"""Bytes of a stripe, data and parity: what stripes in memory are counted by."""

MAX_PARITY_FILE = 1 << 30
"""Bytes of a parity file: below what any file system takes."""

_FEW_STRIPES = 64
_MANY_BLOCKS = 1 << 21
_DIGESTS = re.compile("[0-9a-f]*\\Z")

VolumeNumber = Annotated[int, msgspec.Meta(ge=1, le=MAX_VOLUMES)]


class IndexFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The index as it lies on a parity volume: digest and bytes of the zstd frame."""

    sha256: DigestField
    size: SizeField


class Recovery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the manifest says of parity: `k` data volumes, `m` parity volumes, which are `volumes`.

    `block` is the bytes of a block, `stripes` the blocks of a parity stream.
    """

    scheme: Literal["zfec"]
    k: VolumeNumber
    m: VolumeNumber
    block: Annotated[int, msgspec.Meta(ge=LEAST_BLOCK, le=MAX_BLOCK)]
    stripes: SizeField
    volumes: tuple[VolumeNumber, ...]
    index: IndexFile


@dataclass(frozen=True, slots=True)
class Stream:
    """The payload of a data volume that parity protects: each blob once, sorted by path."""

    number: int
    files: tuple[Entry, ...]


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A volume's stream in the index; `blocks` are the digests of its blocks, one after another without a blank."""

    number: VolumeNumber
    files: tuple[Entry, ...]
    blocks: str


class RecoveryIndex(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every data stream and every parity stream, in the order of their volumes."""

    format: Literal["issmedia-recovery"]
    version: Literal[1]
    data: tuple[Column, ...]
    parity: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Give all streams in the order in which the code counts them."""
        return (*self.data, *self.parity)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one file that lie in a block: `size` of them, from `offset` in the file on."""

    file: Entry
    offset: int
    size: int


class Shape:
    """Where the files of a stream lie in its blocks."""

    def __init__(self, files: Sequence[Entry], block: int) -> None:
        self.files = files
        self.block = block
        self._ends = list(accumulate(file.size for file in files))
        self.size = self._ends[-1] if files else 0
        self.blocks = -(-self.size // block)

    def pieces(self, number: int) -> Iterator[Piece]:
        """Give what lies in a block, in order; the rest of the last block is zeros."""
        start, end = number * self.block, min((number + 1) * self.block, self.size)
        index = bisect_right(self._ends, start)
        while start < end:
            file = self.files[index]
            offset = start - (self._ends[index] - file.size)
            size = min(file.size - offset, end - start)
            if size:
                yield Piece(file, offset, size)
            start, index = start + size, index + 1

    def places(self, index: int) -> Iterator[tuple[int, int, int]]:
        """Give the blocks that a file lies in: number, offset in the block, bytes."""
        left, position = self.files[index].size, self._ends[index] - self.files[index].size
        while left:
            number, offset = divmod(position, self.block)
            size = min(left, self.block - offset)
            yield number, offset, size
            left, position = left - size, position + size

    def blocks_of(self, index: int) -> range:
        """Give the numbers of the blocks that a file lies in."""
        end, size = self._ends[index], self.files[index].size
        return range((end - size) // self.block, -(-end // self.block) if size else (end - size) // self.block)


def stream_of(number: int, files: Iterable[Entry]) -> Stream:
    """Make the stream of a data volume from its payload: sorted by path, each digest where it comes first."""
    once: dict[Digest, Entry] = {}
    for file in sorted(files, key=lambda file: file.path):
        once.setdefault(file.sha256, file)
    return Stream(number, tuple(once.values()))


def block_digest(column: Column, number: int) -> Digest:
    """Name a block of a stream."""
    return Digest(column.blocks[64 * number : 64 * (number + 1)])


def parity_files(stripes: int, block: int) -> list[tuple[str, int]]:
    """Say which files hold the blocks of a parity volume, and their bytes; all but the last are equally long."""
    total, most = stripes * block, MAX_PARITY_FILE // block * block
    sizes = [min(most, total - start) for start in range(0, total, most)]
    return [(f"parity/{number:04}", size) for number, size in enumerate(sizes, 1)]


def require_scheme(k: int, m: int) -> None:
    """Raise `UsageError` unless m parity volumes can stand beside k data volumes."""
    if m < 1:
        raise UsageError(f"{m} parity volumes are none", hint="ask for at least one parity volume, or leave parity out")
    if k < 1:
        raise UsageError("there is no data volume that parity could protect")
    if k + m > MAX_VOLUMES:
        raise UsageError(
            f"{k} data volumes and {m} parity volumes are {k + m}, at most {MAX_VOLUMES} volumes can stand together",
            hint="use a larger medium, or fewer parity volumes",
        )


def block_size(sizes: Sequence[int], m: int) -> int:
    """Choose the bytes of a block for data streams of these sizes: 1 MiB, unless the set is small, huge or many.

    A small set gets blocks that leave its largest stream 64 stripes; a huge one larger blocks, so that its index stays
    readable; where there are many volumes, a stripe must fit `MAX_STRIPE`.
    """
    volumes, largest, total = len(sizes) + m, max(sizes, default=0), sum(sizes)
    block = LEAST_BLOCK
    while block < USUAL_BLOCK and 2 * block * volumes <= MAX_STRIPE and largest >= 2 * block * _FEW_STRIPES:
        block *= 2
    while block < MAX_BLOCK and 2 * block * volumes <= MAX_STRIPE and total > block * _MANY_BLOCKS:
        block *= 2
    return block


def check_recovery(recovery: Recovery, volumes: int) -> None:
    """Refuse a manifest's `recovery` that does not fit its number of volumes, with `FormatError`."""
    k, m, block = recovery.k, recovery.m, recovery.block
    faults = (
        (k + m > MAX_VOLUMES or k + m != volumes, f"{k} + {m} volumes, the bundle has {volumes}"),
        (recovery.volumes != tuple(range(k + 1, k + m + 1)), "the parity volumes are not the last ones"),
        (block & (block - 1) or block * (k + m) > MAX_STRIPE, f"a block of {block} bytes"),
        (recovery.stripes * block > strictjson.MAX_INTEGER, f"{recovery.stripes} stripes"),
        (recovery.index.size > MAX_INDEX, f"an index of {recovery.index.size} bytes"),
    )
    for wrong, message in faults:
        if wrong:
            raise FormatError(message, where="manifest.json: recovery")


def render_index(index: RecoveryIndex) -> bytes:
    """Give the canonical bytes; `UsageError` where they are more than the other side would read."""
    data = msgspec.json.encode(index) + b"\n"
    if len(data) > MAX_INDEX:
        raise UsageError(
            f"the index of the parity volumes has {len(data):,} bytes, at most {MAX_INDEX:,} are allowed",
            hint="make several bundles of it, each with parity of its own",
        )
    return data


def parse_index(data: bytes, recovery: Recovery, *, where: str) -> RecoveryIndex:
    """Parse the index that belongs to `recovery`; anything that is not canonical or does not fit is a `FormatError`."""
    try:
        head = msgspec.to_builtins(msgspec.json.decode(data, type=_Head))
        strictjson.require_head(head, FORMAT, VERSION, where=where)
        index = msgspec.json.decode(data, type=RecoveryIndex)
        canonical = msgspec.json.encode(index) + b"\n" == data
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as cause:
        raise FormatError(f"not an index of parity: {names.shown(str(cause))}", where=where) from cause
    if not canonical:
        raise FormatError("not an index of parity in canonical form", where=where)
    _check_index(index, recovery, where)
    return index


def beyond_repair(bad: Mapping[int, Set[int]], m: int) -> tuple[int, ...]:
    """Say which stripes are lost; `bad` has of each stripe which of its blocks are, by volume."""
    return tuple(sorted(stripe for stripe, volumes in bad.items() if len(volumes) > m))


def without(index: RecoveryIndex, lost: Set[int]) -> dict[int, frozenset[int]]:
    """Say which blocks are gone with whole volumes: stripe → volumes, for each stripe that lacks any."""
    blocks = {column.number: len(column.blocks) // 64 for column in index.columns if column.number in lost}
    found = {}
    for start, end in pairwise(sorted({0, *blocks.values()})):
        gone = frozenset(number for number, count in blocks.items() if count >= end)
        found.update(dict.fromkeys(range(start, end), gone))
    return found


class _Head(msgspec.Struct):
    format: str
    version: int


def _check_index(index: RecoveryIndex, recovery: Recovery, where: str) -> None:
    """Refuse an index whose parts do not fit together or to the manifest."""
    numbers = [column.number for column in index.columns]
    if len(index.data) != recovery.k or numbers != list(range(1, recovery.k + recovery.m + 1)):
        raise FormatError(f"expected {recovery.k} + {recovery.m} volumes, numbered 1, 2, 3, …", where=where)
    sizes: dict[Digest, int] = {}
    for column in index.columns:
        _check_column(column, recovery.block, f"{where}: volume {column.number}")
        for file in column.files:
            if sizes.setdefault(file.sha256, file.size) != file.size:
                raise FormatError(f"two sizes for one digest {file.sha256}", where=where)
    longest = max(len(column.blocks) // 64 for column in index.data)
    expected = parity_files(recovery.stripes, recovery.block)
    if longest != recovery.stripes:
        raise FormatError(f"expected {recovery.stripes} stripes, found {longest}", where=where)
    for column in index.parity:
        if [(file.path, file.size) for file in column.files] != expected:
            raise FormatError("the parity files are not those of its stripes", where=f"{where}: volume {column.number}")


def _check_column(column: Column, block: int, where: str) -> None:
    for file in column.files:
        names.checked_path(file.path, limit=names.MAX_VOLUME_PATH)
    if any(one.path >= other.path for one, other in pairwise(column.files)):
        raise FormatError("files are not sorted by path, or one stands twice", where=where)
    if problems := list(names.collisions(file.path for file in column.files)):
        raise FormatError("paths on the volume collide", where=where, problems=problems)
    size = sum(file.size for file in column.files)
    if size > strictjson.MAX_INTEGER:
        raise FormatError(f"files of {size} bytes", where=where)
    if not _DIGESTS.match(column.blocks) or len(column.blocks) != 64 * -(-size // block):
        raise FormatError(f"expected the digests of {-(-size // block)} blocks", where=where)
