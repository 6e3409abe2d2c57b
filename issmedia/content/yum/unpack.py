"""Repodata unpacked under a cap: one gz, xz, bz2 or zst stream, whole and with nothing behind it, or as it is.

Runs in the parsing child. Pieces are bounded however well a bomb packs. The prologue of an XML document is judged at
the first piece: UTF-8, the root element that is expected, and no DOCTYPE, so no entities; that of comps may name the
usual DTD, which is never read.
"""

import bz2
import hashlib
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol
from xml.parsers import expat

import zstandard

from issmedia.base.errors import FormatError
from issmedia.content.yum.parsed import Job, Kind
from issmedia.model.names import shown

Read = Callable[[int], bytes]

_IN = 64 << 10
_OUT = 1 << 20
_ZSTD_IN = 1 << 10
"""zstd's decoder bounds no output; 1 kB of it is at most 32 MB."""

_MEMORY = 128 << 20
_PROLOGUE = 64 << 10
_ROOTS: dict[Kind, tuple[str, ...]] = {
    "repomd": ("repomd",),
    "primary": ("metadata",),
    "filelists": ("filelists",),
    "other": ("otherdata",),
    "updateinfo": ("updates",),
    "group": ("comps",),
    "prestodelta": ("prestodelta", "deltainfo"),
}
"""Root elements that the documents may have that are XML."""


class _Bounded(Protocol):
    """A decoder of the standard library."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


def unpack(read: Read, write: Callable[[bytes], object], job: Job) -> int | None:
    """Unpack a document and check it against the job; return the number of packages its root element claims."""
    prologue = _Prologue(job.kind) if job.kind in _ROOTS else None
    hashing = hashlib.new(job.checksum[0], usedforsecurity=False) if job.checksum else None
    size = 0
    for piece in _capped(inflated(read, xml=prologue is not None), job):
        size += len(piece)
        if prologue:
            prologue.feed(piece)
        if hashing:
            hashing.update(piece)
        write(piece)
    if job.size is not None and size != job.size:
        raise FormatError(f"expected {job.size:,} bytes unpacked, got {size:,}")
    if job.checksum and hashing and hashing.hexdigest() != job.checksum[1]:
        raise FormatError(f"expected {job.checksum[0]} {job.checksum[1]} unpacked, got {hashing.hexdigest()}")
    if prologue and not prologue.seen:
        raise FormatError("no XML document")
    return prologue.count if prologue else None


def inflated(read: Read, *, xml: bool = True) -> Iterator[bytes]:
    """Yield the bytes that a packed stream holds, in bounded pieces; the format is told by its first bytes."""
    start = read(_IN)
    pieces = _joined(start, read)
    if start.startswith(b"\x1f\x8b"):
        return _gzip(pieces)
    if start.startswith(b"\xfd7zXZ\0"):
        return _decoded(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY), pieces, "xz")
    if start.startswith(b"BZh"):
        return _decoded(bz2.BZ2Decompressor(), pieces, "bz2")
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstd(pieces)
    is_zchunk = start.startswith(b"\0ZCK1")
    if not is_zchunk and (not xml or start.startswith((b"<", b"\xef\xbb\xbf<"))):
        return pieces
    known = "zchunk is carried but not parsed" if is_zchunk else f"it begins {start[:8].hex()}"
    raise FormatError(f"neither gz, xz, bz2, zst nor {'XML' if xml else 'plain'}: {known}")


class _Prologue:
    """What stands before the content of an XML document."""

    def __init__(self, kind: Kind) -> None:
        self.seen = False
        self.count: int | None = None
        self._roots = _ROOTS[kind]
        self._may_name_dtd = kind == "group"
        self._size = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.XmlDeclHandler = self._declared
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._element

    def feed(self, piece: bytes) -> None:
        """Read on until the root element was seen."""
        if self.seen:
            return
        self._size += len(piece)
        try:
            self._parser.Parse(piece[:_PROLOGUE], False)
        except expat.ExpatError as cause:
            if not self.seen:
                raise FormatError(f"not XML: {cause}") from cause
        if not self.seen and self._size > _PROLOGUE:
            raise FormatError(f"no root element in the first {_PROLOGUE:,} bytes")

    def _declared(self, version: str, encoding: str | None, standalone: int) -> None:  # noqa: ARG002
        if encoding and encoding.lower() not in ("utf-8", "utf8", "us-ascii"):
            raise FormatError(f"expected UTF-8, got the encoding {shown(encoding)}")

    def _doctype(self, name: str, system: str | None, public: str | None, declares: int) -> None:  # noqa: ARG002
        if self._may_name_dtd and not declares:
            return
        raise FormatError("it has a DOCTYPE; repodata has none, and entities are not expanded")

    def _element(self, name: str, attributes: dict[str, str]) -> None:
        if self.seen:
            return
        if name.rpartition(" ")[2] not in self._roots:
            raise FormatError(f"expected the root element {' or '.join(self._roots)}, got {shown(name)}")
        count = attributes.get("packages")
        if count is not None and not (count.isascii() and count.isdigit() and len(count) <= 9):
            raise FormatError(f"packages={shown(count)!r} is no count")
        self.count = int(count) if count is not None else None
        self.seen = True


def _capped(pieces: Iterable[bytes], job: Job) -> Iterator[bytes]:
    limit = job.limit if job.size is None else min(job.limit, job.size)
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise FormatError(f"it unpacks to more than {limit:,} bytes")
        yield piece


def _joined(start: bytes, read: Read) -> Iterator[bytes]:
    piece = start
    while piece:
        yield piece
        piece = read(_IN)


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    decoder = zlib.decompressobj(wbits=31)
    for piece in pieces:
        while piece and not decoder.eof:
            try:
                unpacked = decoder.decompress(piece, _OUT)
            except zlib.error as cause:
                raise FormatError(f"damaged gz data: {cause}") from cause
            piece = decoder.unconsumed_tail
            yield unpacked
        if decoder.eof:
            break
    _require_end(decoder.eof, decoder.unused_data, pieces, "gz")


def _decoded(decoder: _Bounded, pieces: Iterator[bytes], form: str) -> Iterator[bytes]:
    for piece in pieces:
        while (piece or not decoder.needs_input) and not decoder.eof:
            try:
                unpacked = decoder.decompress(piece, _OUT)
            except (OSError, ValueError, lzma.LZMAError) as cause:
                raise FormatError(f"damaged {form} data: {cause}") from cause
            piece = b""
            yield unpacked
        if decoder.eof:
            break
    _require_end(decoder.eof, decoder.unused_data, pieces, form)


def _zstd(pieces: Iterator[bytes]) -> Iterator[bytes]:
    decoder = zstandard.ZstdDecompressor(max_window_size=_MEMORY).decompressobj()
    for piece in pieces:
        for start in range(0, len(piece), _ZSTD_IN):
            if decoder.eof:
                raise FormatError("there is data behind the end of the zst stream")
            try:
                yield decoder.decompress(piece[start : start + _ZSTD_IN])
            except zstandard.ZstdError as cause:
                raise FormatError(f"damaged zst data: {cause}") from cause
    _require_end(decoder.eof, decoder.unused_data, pieces, "zst")


def _require_end(ended: bool, unused: bytes, pieces: Iterator[bytes], form: str) -> None:
    """Refuse what is cut short, and what carries on: a second member is no repodata, and clients differ on it."""
    if not ended:
        raise FormatError(f"the {form} stream is cut short")
    if unused or next(pieces, b""):
        raise FormatError(f"there is data behind the end of the {form} stream")
