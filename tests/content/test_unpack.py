import bz2
import gzip
import hashlib
import io
import lzma
from collections.abc import Callable

import pytest
import zstandard

from issmedia.base.errors import FormatError
from issmedia.content.yum.parsed import Job
from issmedia.content.yum.unpack import inflated, unpack

DOCUMENT = b'<?xml version="1.0"?>\n<metadata packages="3">' + b"<x/>" * 100_000 + b"</metadata>\n"
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


def unpacked(data: bytes, job: Job) -> bytes:
    parts: list[bytes] = []
    unpack(io.BytesIO(data).read, parts.append, job)
    return b"".join(parts)


@pytest.mark.parametrize("form", PACK)
def test_each_form_is_told_by_its_first_bytes(form: str) -> None:
    assert unpacked(PACK[form](DOCUMENT), Job("primary", 1 << 20)) == DOCUMENT


def test_plain_documents_pass_with_and_without_a_mark() -> None:
    assert unpacked(DOCUMENT, Job("primary", 1 << 20)) == DOCUMENT
    assert unpacked(b"\xef\xbb\xbf<metadata/>", Job("primary", 100)) == b"\xef\xbb\xbf<metadata/>"


def test_the_count_of_packages_is_read_from_the_root_element() -> None:
    assert unpack(io.BytesIO(DOCUMENT).read, len, Job("primary", 1 << 20)) == 3
    assert unpack(io.BytesIO(b"<metadata/>").read, len, Job("primary", 1 << 20)) is None


def test_size_and_checksum_of_the_unpacked_document_are_checked() -> None:
    packed = gzip.compress(DOCUMENT)
    digest = hashlib.sha256(DOCUMENT).hexdigest()

    assert unpacked(packed, Job("primary", 1 << 20, len(DOCUMENT), ("sha256", digest))) == DOCUMENT
    with pytest.raises(FormatError, match="expected 400,058 bytes unpacked, got 400,057"):
        unpacked(packed, Job("primary", 1 << 20, len(DOCUMENT) + 1))
    with pytest.raises(FormatError, match="unpacks to more than 400,056 bytes"):
        unpacked(packed, Job("primary", 1 << 20, len(DOCUMENT) - 1))
    with pytest.raises(FormatError, match=f"expected sha256 {'0' * 64} unpacked, got {digest}"):
        unpacked(packed, Job("primary", 1 << 20, None, ("sha256", "0" * 64)))


@pytest.mark.parametrize("form", PACK)
def test_pieces_are_bounded_however_well_zeros_pack(form: str) -> None:
    packed = PACK[form](bytes(40 << 20))

    longest = max(len(piece) for piece in inflated(io.BytesIO(packed).read))

    assert longest <= (32 << 20 if form == "zst" else 1 << 20)


@pytest.mark.parametrize("data", [b"", b"\0ZCK1xx", b"PK\3\4", b"\xff\xfe<\0m\0", b"   <metadata/>"])
def test_other_forms_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="neither gz, xz, bz2, zst nor XML"):
        unpacked(data, Job("primary", 1 << 20))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"<html/>", "expected the root element metadata, got html"),
        (b'<metadata packages="-1"/>', "is no count"),
        (b'<metadata packages="1e9"/>', "is no count"),
        (b"<metadata", "no XML document"),
        (b"<" + b" " * 70_000, "not XML"),
        (b"<!--" + b" " * 70_000, "no root element in the first"),
        (b'<?xml version="1.0" encoding="utf-16"?><metadata/>', "expected UTF-8, got the encoding utf-16"),
        (b"<!DOCTYPE metadata><metadata/>", "it has a DOCTYPE"),
    ],
)
def test_a_prologue_that_is_not_repodatas_is_refused(document: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        unpacked(document, Job("primary", 1 << 20))
