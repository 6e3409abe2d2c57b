"""Parity volumes: what the manifest says of them, their index, and where a file lies in a stream of blocks.

The stream of a data volume is its payload blobs in the order of their paths, one after another, padded with zeros to
whole blocks. Stripe s is block s of every data stream (zeros where a stream is shorter) and of every parity stream: of
these k + m blocks any k give the others. A parity stream is a parity volume's files, one after another.

The index names every block of every stream by its digest. It travels as one zstd frame, the same bytes on every parity
volume; the manifest names them. Its canonical form is one line of JSON, fields in the order of these types.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import accumulate, pairwise
from typing import Annotated, Literal

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, UsageError
from issmedia.model import names, strictjson
from issmedia.model.tree import DigestField, Entry, SizeField

FORMAT: Literal["issmedia-recovery"] = "issmedia-recovery"
VERSION: Literal[1] = 1
INDEX = "parity/index.json.zst"
MAX_INDEX = 512 << 20
"""The longest index that is written or read, in bytes: room for some eight million blocks."""

MAX_VOLUMES = 256
"""Data and parity volumes together: the code counts in one byte."""

LEAST_BLOCK, MAX_BLOCK = 4 << 10, 1 << 20
MAX_STRIPE = 64 << 20
"""Bytes of a stripe, data and parity: what stripes in memory are counted by."""

MAX_PARITY_FILE = 1 << 30
"""Bytes of a parity file: below what any file system takes."""

_FEW_STRIPES = 64
_DIGEST = 64
"""Digits of a digest in the index."""

_STREAM, _FILE = 64, 128
"""Bytes of a stream, and of a file beside its path, in the index at most."""

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


class Stream(msgspec.Struct, frozen=True):
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


class Piece(msgspec.Struct, frozen=True):
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
    """Choose the bytes of a block for data streams of these sizes: 1 MiB, unless the set is small or many.

    A small set gets blocks that leave its largest stream 64 stripes; where there are many volumes, a stripe must fit
    `MAX_STRIPE`. `UsageError` where the digests of so many blocks are more than an index holds.
    """
    volumes, largest = len(sizes) + m, max(sizes, default=0)
    block = LEAST_BLOCK
    while block < MAX_BLOCK and 2 * block * volumes <= MAX_STRIPE and largest >= 2 * block * _FEW_STRIPES:
        block *= 2
    _require_room(_DIGEST * sum(-(-size // block) for size in (*sizes, *[largest] * m)), block)
    return block


def require_index(streams: Sequence[Stream], m: int, block: int) -> None:
    """Raise `UsageError` where the index of these streams and their parity would be too long; nothing is read."""
    blocks = [Shape(stream.files, block).blocks for stream in streams]
    parity = tuple(Entry(path, Digest("0" * 64), size) for path, size in parity_files(max(blocks), block))
    bare = RecoveryIndex(
        FORMAT,
        VERSION,
        tuple(Column(stream.number, stream.files, "") for stream in streams),
        tuple(Column(len(streams) + number, parity, "") for number in range(1, m + 1)),
    )
    _require_room(len(render_index(bare)) + _DIGEST * (sum(blocks) + m * max(blocks)), block)


def longest_index(recovery: Recovery, files: int) -> int:
    """Say how many bytes an index can have at most, where the data volumes have so many files together."""
    columns = recovery.k + recovery.m
    listed = files + recovery.m * (recovery.stripes * recovery.block // MAX_PARITY_FILE + 1)
    return columns * (_STREAM + _DIGEST * recovery.stripes) + (listed + 1) * (_FILE + names.MAX_VOLUME_PATH)


def check_recovery(recovery: Recovery, volumes: int) -> None:
    """Refuse a manifest's `recovery` that does not fit its number of volumes, with `FormatError`."""
    k, m, block = recovery.k, recovery.m, recovery.block
    faults = (
        (k + m > MAX_VOLUMES or k + m != volumes, f"{k} + {m} volumes, the bundle has {volumes}"),
        (recovery.volumes != tuple(range(k + 1, k + m + 1)), "the parity volumes are not the last ones"),
        (block & (block - 1) or block * (k + m) > MAX_STRIPE, f"a block of {block} bytes"),
        (_DIGEST * recovery.stripes * (1 + m) > MAX_INDEX, f"{recovery.stripes} stripes"),
        (recovery.index.size > MAX_INDEX, f"an index of {recovery.index.size} bytes"),
    )
    for wrong, message in faults:
        if wrong:
            raise FormatError(message, where="manifest.json: recovery")


def render_index(index: RecoveryIndex) -> bytes:
    """Give the canonical bytes."""
    return msgspec.json.encode(index) + b"\n"


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


def lost_with(index: RecoveryIndex, lose: Set[int], block: int) -> Iterator[tuple[int, Entry]]:
    """Find the files, with the numbers of their volumes, that whole volumes take with them though there is parity.

    Streams begin together, so the stripes that lack too many blocks are the first ones.
    """
    counts = sorted(len(column.blocks) // _DIGEST for column in index.columns if column.number in lose)
    end = block * counts[-len(index.parity) - 1] if len(counts) > len(index.parity) else 0
    for column in index.data:
        starts = accumulate((file.size for file in column.files), initial=0)
        for file, start in zip(column.files, starts, strict=False):
            if column.number in lose and file.size and start < end:
                yield column.number, file


def _require_room(index: int, block: int) -> None:
    if index > MAX_INDEX:
        raise UsageError(
            f"the set is too large for parity: its index would have {index:,} bytes, with blocks of {block:,} bytes, "
            f"and at most {MAX_INDEX:,} are allowed",
            hint="name fewer repositories, so that there are several bundles, or leave out --parity",
        )


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
    if longest != recovery.stripes:
        raise FormatError(f"expected {recovery.stripes} stripes, found {longest}", where=where)
    expected = parity_files(recovery.stripes, recovery.block)
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
