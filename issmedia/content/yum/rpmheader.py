"""The frame of an RPM package, checked before a library reads it: lead, and the index of each header.

A header is: magic, numbers of entries and of bytes of data; entries of tag, type, offset and count, four bytes each;
the data. Its first entry is a region, whose trailer in the data says how many entries it spans. rpm refuses what does
not fit together; rpm-rs panics over it, or asks for memory that nobody has. Source: rpm's docs/manual/format_header.md.
"""

import struct
from collections.abc import Callable

from issmedia.base.errors import FormatError

Read = Callable[[int], bytes]

LEAD = 96
SIGNATURES, IMMUTABLE = 62, 63
"""Tags of the regions of the signature header and of the header."""

MAGIC = b"\x8e\xad\xe8\x01" + bytes(4)
BINARY = 7

LEAD_MAGIC = b"\xed\xab\xee\xdb"
_CHUNK = 1 << 20
_REGION = 16
_TAGS = range(100, 1 << 31)
_STRING, _STRINGS = 6, (6, 8, 9)
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, BINARY: 1}
_ENTRY = struct.Struct(">IIII")
_TRAILER = struct.Struct(">IIiI")


def read_lead(read: Read) -> bytes:
    """Read the lead; `FormatError` where no package begins here."""
    lead = exactly(read, LEAD)
    if not lead.startswith(LEAD_MAGIC) or lead[4] not in (3, 4) or lead[78:80] != b"\0\5":
        raise FormatError("is no RPM package")
    return lead


def read_header(read: Read, region: int, limit: int) -> bytes:
    """Read a header of at most `limit` bytes as it stands; `FormatError` where its entries do not fit together."""
    intro = exactly(read, 16)
    if not intro.startswith(MAGIC):
        raise FormatError("is no RPM package: a header is missing")
    count, size = struct.unpack(">II", intro[8:])
    if count * 16 + size > limit:
        raise FormatError(f"has a header of {count * 16 + size:,} bytes, at most {limit:,} are read")
    body = exactly(read, count * 16 + size)
    entries, data = list(_ENTRY.iter_unpack(body[: count * 16])), body[count * 16 :]
    _check_region(entries, data, region)
    _check_entries(entries[1:], data[: entries[0][2]])
    return intro + body


def exactly(read: Read, size: int) -> bytes:
    """Read so many bytes; an allocation grows with what is there, not with what is claimed."""
    found = bytearray()
    while len(found) < size:
        chunk = read(min(_CHUNK, size - len(found)))
        if not chunk:
            raise FormatError("is no RPM package: it ends in its headers")
        found += chunk
    return bytes(found)


def signature_header(tag: int, signature: bytes) -> bytes:
    """Write a signature header that holds one signature and nothing else."""
    entries = _ENTRY.pack(SIGNATURES, BINARY, len(signature), _REGION) + _ENTRY.pack(tag, BINARY, 0, len(signature))
    trailer = _TRAILER.pack(SIGNATURES, BINARY, -len(entries), _REGION)
    found = MAGIC + struct.pack(">II", 2, len(signature) + _REGION) + entries + signature + trailer
    return found + bytes(-len(found) % 8)


def _check_region(entries: list[tuple[int, int, int, int]], data: bytes, region: int) -> None:
    """Check that the first entry is the region, and that it spans all: what is outside no signature covers."""
    if not entries or entries[0][:2] != (region, BINARY) or entries[0][3] != _REGION:
        raise FormatError("has a header without its region")
    at = entries[0][2]
    trailer = data[at : at + _REGION]
    if trailer != _TRAILER.pack(region, BINARY, -_REGION * len(entries), _REGION):
        raise FormatError("has a header whose region does not span all of it")


def _check_entries(entries: list[tuple[int, int, int, int]], data: bytes) -> None:
    """Check that each entry's data end before the next begin."""
    ends = [at for _, _, at, _ in entries[1:]] + [len(data)]
    for (tag, kind, at, count), end in zip(entries, ends, strict=False):
        if tag not in _TAGS or count == 0 or not at < end <= len(data) or not _fits(kind, count, data, (at, end)):
            raise FormatError(f"has a header whose entry of tag {tag} does not fit")


def _fits(kind: int, count: int, data: bytes, span: tuple[int, int]) -> bool:
    at, end = span
    if kind in _STRINGS:
        return (kind != _STRING or count == 1) and data.count(b"\0", at, end) >= count
    width = _WIDTHS.get(kind)
    return width is not None and at % width == 0 and at + width * count <= end
