"""The frame of a package: what does not fit together is refused before a library reads it."""

import io
import struct

import pytest
import rpm_rs

from issmedia.base.errors import FormatError
from issmedia.content.yum.rpmheader import (
    IMMUTABLE,
    LEAD,
    MAGIC,
    SIGNATURES,
    read_header,
    read_lead,
    signature_header,
)
from tests.makers.rpms import build_rpm
from tests.makers.signed_rpms import segments

LIMIT = 1 << 20
PACKAGE = build_rpm("app")
START, END = segments(PACKAGE)
STRING, STRINGS, INT32, BINARY = 6, 8, 4, 7


def header(*entries: tuple[int, int, int, int], data: bytes = b"", spans: int | None = None) -> bytes:
    """Write a header of entries (tag, type, offset, count) over data, with its region behind them."""
    count = len(entries) + 1
    index = b"".join(struct.pack(">IIII", *entry) for entry in ((IMMUTABLE, BINARY, len(data), 16), *entries))
    trailer = struct.pack(">IIiI", IMMUTABLE, BINARY, -16 * (count if spans is None else spans), 16)
    return MAGIC + struct.pack(">II", count, len(data) + 16) + index + data + trailer


def read(data: bytes, region: int = IMMUTABLE) -> bytes:
    """Read a header."""
    return read_header(io.BytesIO(data).read, region, LIMIT)


def test_a_package_is_read_as_it_stands() -> None:
    stream = io.BytesIO(PACKAGE)

    lead = read_lead(stream.read)
    signatures = read_header(stream.read, SIGNATURES, LIMIT)
    stream.read(-len(signatures) % 8)

    assert lead + signatures == PACKAGE[: LEAD + len(signatures)]
    assert read_header(stream.read, IMMUTABLE, LIMIT) == PACKAGE[START:END]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [(1000, STRING, 0, 1)],
        [(1000, STRINGS, 0, 2), (1001, INT32, 4, 1)],
        [(1000, BINARY, 0, 8)],
    ],
)
def test_entries_that_fit_are_taken(entries: list[tuple[int, int, int, int]]) -> None:
    data = header(*entries, data=b"a\0b\0" + bytes(4))

    assert read(data) == data


@pytest.mark.parametrize(
    "entry",
    [
        (99, BINARY, 0, 1),
        (1 << 31, BINARY, 0, 1),
        (1000, 0, 0, 1),
        (1000, 10, 0, 1),
        (1000, BINARY, 0, 0),
        (1000, BINARY, 8, 1),
        (1000, BINARY, 0, 9),
        (1000, BINARY, 1 << 31, 1),
        (1000, BINARY, 0, 1 << 31),
        (1000, INT32, 2, 1),
        (1000, INT32, 0, 1 << 30),
        (1000, STRING, 0, 2),
        (1000, STRINGS, 0, 9),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(entry: tuple[int, int, int, int]) -> None:
    with pytest.raises(FormatError, match="does not fit"):
        read(header(entry, data=b"a\0b\0" + bytes(4)))


def test_entries_that_share_data_are_refused() -> None:
    with pytest.raises(FormatError, match="does not fit"):
        read(header((1000, BINARY, 0, 8), (1001, BINARY, 4, 4), data=bytes(8)))


@pytest.mark.parametrize("spans", [0, 1, 3])
def test_a_region_that_leaves_something_out_is_refused(spans: int) -> None:
    with pytest.raises(FormatError, match="region"):
        read(header((1000, BINARY, 0, 8), data=bytes(8), spans=spans))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MAGIC,
        MAGIC + struct.pack(">II", 0, 0),
        MAGIC + struct.pack(">II", 1, 16) + bytes(32),
        MAGIC + struct.pack(">II", 1 << 31, 1 << 31),
        MAGIC + struct.pack(">II", 1000, 1000) + bytes(100),
        header()[:-1],
        b"\0" + header()[1:],
    ],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read(data)


def test_a_region_of_another_header_is_refused() -> None:
    with pytest.raises(FormatError, match="region"):
        read(header(), SIGNATURES)


@pytest.mark.parametrize(
    "lead",
    [
        b"",
        PACKAGE[:95],
        b"x" + PACKAGE[1:],
        PACKAGE[:4] + b"\x05" + PACKAGE[5:],
        PACKAGE[:79] + b"\x06" + PACKAGE[80:],
    ],
)
def test_what_is_no_lead_is_refused(lead: bytes) -> None:
    with pytest.raises(FormatError):
        read_lead(io.BytesIO(lead).read)


def test_a_signature_header_of_ours_is_read_by_rpm_rs() -> None:
    written = signature_header(267, b"signature")

    found = rpm_rs.PackageMetadata.from_bytes(PACKAGE[:LEAD] + written + PACKAGE[START:END])

    assert found.signature.entry(267) == b"signature"
    assert written.startswith(read_header(io.BytesIO(written).read, SIGNATURES, LIMIT))
