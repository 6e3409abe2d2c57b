"""What the parsing child says of repodata, one JSON object a line; the parent checks each against these types."""

from typing import Annotated, Literal

import msgspec

from issmedia.model.package import Package

Kind = Literal["repomd", "primary", "updateinfo", "group", "modules"]
"""A document that is parsed; all others are carried unopened."""

READY = b"ready\n"
"""What the child says first, before it reads a byte of the document: what fails until then is no fault of that."""

REFUSED, MARK = 65, b"refused: "
"""How the child ends when it refuses a document, and what stands before the reason."""

Size = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the child shall parse: at most `limit` bytes once unpacked, of which size and checksum may be known.

    `memory` caps its address space in bytes, beside the unpacked document.
    """

    kind: Kind
    limit: int
    size: int | None = None
    checksum: tuple[str, str] | None = None
    memory: int = 2 << 30


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that repomd.xml lists. `open_…` describe it unpacked; `base` is an `xml:base`, which we refuse."""

    kind: str
    href: str
    base: str | None
    size: Size | None
    checksum_type: str | None
    checksum: str | None
    open_size: Size | None
    open_checksum_type: str | None
    open_checksum: str | None


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A package that primary.xml lists, and its `xml:base`, which we refuse."""

    package: Package
    base: str | None
