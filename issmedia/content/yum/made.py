"""Files of repodata that we write: packed, hashed, and named in a repomd.xml. The same input gives the same bytes."""

import hashlib
import zlib
from typing import Protocol

import msgspec
import zstandard

from issmedia.base.digest import Digest, digest_of
from issmedia.content.yum.wanted import REPOMD
from issmedia.model.selection import Packing

_LEVEL = 3
"""Of gzip, which every client reads; 6 takes more than twice as long for a tenth less."""

_ZSTD_LEVEL = 9
"""Smaller than gzip at any level, and as quick as its level here."""

_SUFFIXES: dict[Packing, str] = {"gz": ".gz", "zstd": ".zst"}

_REPOMD = """<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>{moment}</revision>
{records}</repomd>
"""
_RECORD = """  <data type="{kind}">
    <checksum type="sha256">{digest}</checksum>
{unpacked}    <location href="{path}"/>
    <timestamp>{moment}</timestamp>
    <size>{size}</size>
{open_size}  </data>
"""


class MadeFile(msgspec.Struct, frozen=True):
    """A file of a repository that we made: its path in the repository, and its bytes."""

    path: str
    content: bytes


class MadeDocument(msgspec.Struct, frozen=True):
    """A document that repomd.xml shall name; `unpacked` has its digest and size in bytes before it was packed."""

    kind: str
    file: MadeFile
    unpacked: tuple[Digest, int] | None = None


class Packed:
    """A document that is packed while it is written."""

    def __init__(self, kind: str, name: str, packing: Packing = "gz") -> None:
        self._kind = kind
        self._name = name + _SUFFIXES[packing]
        self._hash = hashlib.sha256()
        self._size = 0
        self._packer = _packer(packing)
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Write on."""
        self._hash.update(data)
        self._size += len(data)
        if packed := self._packer.compress(data):
            self._pieces.append(packed)

    def finish(self) -> MadeDocument:
        """Give the whole."""
        content = b"".join((*self._pieces, self._packer.flush()))
        unpacked = Digest(self._hash.hexdigest()), self._size
        return MadeDocument(self._kind, _named(self._name, content), unpacked)


class _Packer(Protocol):
    """Packs a stream."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def _packer(packing: Packing) -> _Packer:
    if packing == "zstd":
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    return zlib.compressobj(_LEVEL, wbits=31)


def plain(kind: str, name: str, content: bytes) -> MadeDocument:
    """Make a document that is not packed."""
    return MadeDocument(kind, _named(name, content))


def with_repomd(documents: list[MadeDocument], *, moment: int) -> tuple[MadeFile, ...]:
    """Give the documents' files and the repomd.xml that names them; `moment` is in seconds since 1970."""
    records = "".join(_record(document, moment) for document in documents)
    repomd = MadeFile(REPOMD, _REPOMD.format(moment=moment, records=records).encode())
    return (*(document.file for document in documents), repomd)


def _named(name: str, content: bytes) -> MadeFile:
    return MadeFile(f"repodata/{digest_of(content)}-{name}", content)


def _record(document: MadeDocument, moment: int) -> str:
    unpacked = open_size = ""
    if document.unpacked:
        unpacked = f'    <open-checksum type="sha256">{document.unpacked[0]}</open-checksum>\n'
        open_size = f"    <open-size>{document.unpacked[1]}</open-size>\n"
    return _RECORD.format(
        kind=document.kind,
        digest=digest_of(document.file.content),
        unpacked=unpacked,
        path=document.file.path,
        moment=moment,
        size=len(document.file.content),
        open_size=open_size,
    )
