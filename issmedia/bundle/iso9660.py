"""Volume descriptors and directory records of ISO 9660 (ECMA-119), read strictly and within bounds.

What the standard allows and our images never have is refused: other block sizes, interleaved files, extended
attribute records, directories in several parts. A `FormatError` says what is wrong with the directory or the image;
its place is known to the caller.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from issmedia.base.errors import FormatError
from issmedia.model.names import shown

SECTOR = 2048
"""Bytes of a sector, and of a block."""

DIRECTORY, ASSOCIATED, _MORE = 0x02, 0x04, 0x80
"""Flags of a record: a directory, a companion of another file, a part of a file that goes on in the next record."""

MAX_DIRECTORY = 64 << 20
"""The longest directory that is read, in bytes."""

MAX_RECORDS = 200_000
"""The most records of one directory."""

_FIRST, _LAST = 16, 64
"""The sectors among which the primary volume descriptor is looked for (ECMA-119, 6.7.1)."""

_PRIMARY, _TERMINATOR = 1, 255
_SPAN = 64 * SECTOR
_SHORTEST = 34
_SELF, _PARENT = b"\0", b"\1"

Read = Callable[[int, int], bytes]
"""Reads at an offset so many bytes, all of them."""


class Extent(NamedTuple):
    """Bytes that lie together: where they begin in the image, and how many they are."""

    offset: int
    size: int


class Record(NamedTuple):
    """One directory record (ECMA-119, 9.1); `system_use` is what follows the identifier."""

    extent: Extent
    flags: int
    identifier: bytes
    system_use: bytes


class Descriptor(msgspec.Struct, frozen=True):
    """What a primary volume descriptor tells: the label, safe to show, and the root directory's sector."""

    label: str
    root: int


def read_descriptor(read: Read) -> Descriptor:
    """Find the primary volume descriptor (ECMA-119, 8.4)."""
    for sector in range(_FIRST, _LAST):
        data = _descriptor(read, sector)
        if data[0] == _PRIMARY:
            if data[128:132] != b"\x00\x08\x08\x00":
                raise FormatError(f"is an ISO image with blocks of another size than {SECTOR} bytes")
            label = data[40:72].rstrip(b" \0").decode("ascii", "replace")
            return Descriptor(shown(label), _record(data[156:190]).extent.offset // SECTOR)
        if data[0] == _TERMINATOR:
            break
    raise FormatError("is an ISO image without a primary volume descriptor")


def own_record(read: Read, sector: int) -> Record:
    """Read the record by which a directory, that begins at `sector`, describes itself."""
    return _own(read(sector * SECTOR, SECTOR), sector)


def files(read: Read, sector: int) -> Iterator[tuple[Record, tuple[Extent, ...]]]:
    """Yield each file and directory in the directory at `sector`: its first record, and where its bytes lie."""
    parts: list[Record] = []
    for record in _records(read, sector):
        if parts and record.identifier != parts[0].identifier:
            break
        parts.append(record)
        if not record.flags & _MORE:
            yield parts[0], _joined(parts)
            parts = []
    if parts:
        raise FormatError("has a file whose last part is missing")


def both(data: bytes, at: int) -> int:
    """Read a number that stands twice, the low byte first and the high byte first (ECMA-119, 7.3.3)."""
    little = data[at : at + 4]
    if len(data) < at + 8 or little != data[at + 7 : at + 3 : -1]:
        raise FormatError("has a number whose two forms differ")
    return int.from_bytes(little, "little")


def _descriptor(read: Read, sector: int) -> bytes:
    try:
        data = read(sector * SECTOR, SECTOR)
    except FormatError as cause:
        raise FormatError("is not an ISO image, or only the beginning of one") from cause
    if data[1:6] != b"CD001":
        raise FormatError("is not an ISO image")
    return data


def _records(read: Read, sector: int) -> Iterator[Record]:
    """Yield the records of a directory but its own and its parent's, which must come first."""
    begin = sector * SECTOR
    data = read(begin, SECTOR)
    size = _own(data, sector).extent.size
    for number, record in enumerate(_all_records(read, begin, size, data)):
        if number > MAX_RECORDS:
            raise FormatError(f"has more than {MAX_RECORDS:,} entries")
        if (record.identifier in (_SELF, _PARENT)) != (number < 2):
            raise FormatError("does not begin with itself and its parent, or names them again")
        if number >= 2:
            yield record


def _all_records(read: Read, begin: int, size: int, first: bytes) -> Iterator[Record]:
    yield from _in_sector(first)
    for offset in range(SECTOR, size, _SPAN):
        data = read(begin + offset, min(_SPAN, size - offset))
        for at in range(0, len(data), SECTOR):
            yield from _in_sector(data[at : at + SECTOR])


def _in_sector(data: bytes) -> Iterator[Record]:
    """Yield a sector's records: none reaches into the next, and a length of zero ends them (ECMA-119, 6.8.1.1)."""
    at = 0
    while at < SECTOR and (length := data[at]):
        if at + length > SECTOR:
            raise FormatError("has a record that reaches past its sector")
        yield _record(data[at : at + length])
        at += length


def _record(data: bytes) -> Record:
    if len(data) < _SHORTEST or not 0 < data[32] <= len(data) - 33:
        raise FormatError("has a record that is too short")
    if data[1] or data[26] or data[27]:
        raise FormatError("has a file that is interleaved, or has an extended attribute record")
    end = 33 + data[32]
    padded = end + (data[32] + 1) % 2
    return Record(Extent(both(data, 2) * SECTOR, both(data, 10)), data[25], data[33:end], data[padded:])


def _own(data: bytes, sector: int) -> Record:
    """Take the first record of a directory's first sector, which says how long the directory is."""
    record = next(_in_sector(data), None)
    if record is None or record.identifier != _SELF or record.extent.offset != sector * SECTOR:
        raise FormatError("is not a directory where one should begin")
    size = record.extent.size
    if size == 0 or size % SECTOR:
        raise FormatError("is not whole sectors long")
    if size > MAX_DIRECTORY:
        raise FormatError(f"is {size} bytes long, at most {MAX_DIRECTORY} are read")
    return record


def _joined(parts: list[Record]) -> tuple[Extent, ...]:
    """Give where the parts of a file lie; neighbours are one extent, empty parts none."""
    if len(parts) > 1 and parts[0].flags & DIRECTORY:
        raise FormatError("has a directory in several parts")
    extents: list[Extent] = []
    for extent in (part.extent for part in parts if part.extent.size):
        if extents and sum(extents[-1]) == extent.offset:
            extent = Extent(extents[-1].offset, extents.pop().size + extent.size)
        extents.append(extent)
    return tuple(extents)
