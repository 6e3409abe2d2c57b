"""What the parsing child says of repodata, one JSON object a line; the parent checks each against these types."""

from typing import Annotated, Literal, Protocol

import msgspec

from issmedia.model.package import Advisory, ModuleStream, Package

Kind = Literal["repomd", "primary", "filelists", "other", "updateinfo", "group", "modules", "prestodelta"]
"""A document that is parsed; all others are carried unopened."""

Form = Literal["content", "slices", "relations"]
"""What is said of a document: what it lists, the pieces it can be cut into, or what binds packages to each other."""

READY = b"ready\n"
"""What the child says first, before it reads a byte of the document: what fails until then is no fault of that."""

REFUSED, MARK = 65, b"refused: "
"""How the child ends when it refuses a document, and what stands before the reason."""

BUFFER = 256 << 10
"""Bytes on their way from a child to us; with the usual size both wake four times as often."""

SAID = 64 << 10
"""Bytes that a child says at a time, while we read what it said before."""

MAX_SLICE = 32 << 20
"""Bytes of one package, advisory or group; the largest known have some two million."""

Size = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the child shall parse: at most `limit` bytes once unpacked, of which size and checksum may be known.

    `memory` caps its address space in bytes, beside the unpacked document. `wanted` are the only keys to say: hrefs of
    packages in primary, checksums in filelists and other; in updateinfo names of packages, for a first sieve.
    """

    kind: Kind
    limit: int
    size: int | None = None
    checksum: tuple[str, str] | None = None
    memory: int = 2 << 30
    form: Form = "content"
    wanted: tuple[str, ...] | None = None


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that repomd.xml lists. `open_…` describe it unpacked; `base` is an `xml:base`, which we refuse.

    `revision` is that of the repomd.xml, usually seconds since 1970.
    """

    kind: str
    href: str
    base: str | None
    size: Size | None
    checksum_type: str | None
    checksum: str | None
    open_size: Size | None
    open_checksum_type: str | None
    open_checksum: str | None
    revision: str = ""


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A package that primary.xml lists, and its `xml:base`, which we refuse."""

    package: Package
    base: str | None


class Delta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A delta RPM that prestodelta.xml names."""

    href: str
    size: Size
    checksum_type: str
    checksum: str


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A range of a slice's bytes that names a package, or holds parts which do: `key` says which package."""

    start: Size
    end: Size
    key: str = ""
    inner: "tuple[Part, ...]" = ()


class Slice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of a document: `size` bytes, said right behind this line, as upstream wrote them.

    One package in primary (`key` is its href), filelists or other (its checksum); one advisory, with its packages as
    parts of `whole`; one element of comps, with names of packages, and of groups as `group_key`; one document of
    modulemd, with its artifacts, and the `stream` where it is of one. Other pieces may build on what it `gives`, and it
    on what it `needs`.
    """

    size: Size
    key: str = ""
    whole: Part | None = None
    gives: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    stream: ModuleStream | None = None


Relation = tuple[str, str, str, str, str]
"""What a package requires or provides: name, flags (EQ, GE, … or nothing), epoch, version, release."""


class Related(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A package that primary.xml lists, by its href, with what binds it to others, and its files there."""

    href: str
    name: str
    epoch: str
    version: str
    release: str
    arch: str
    checksum: str
    requires: tuple[Relation, ...]
    provides: tuple[Relation, ...]
    files: tuple[str, ...]
    conflicts: tuple[Relation, ...] = ()
    obsoletes: tuple[Relation, ...] = ()


class Concerned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An advisory and the packages it names, as `nevra_key` writes them."""

    advisory: Advisory
    packages: tuple[str, ...]


def group_key(group: str) -> str:
    """Write what a group gives; no package has such a name."""
    return f"group {group}"


def stream_key(name: str, stream: str) -> str:
    """Write what a module stream gives; no package has such a name."""
    return f"module {name}:{stream}"


def module_key(name: str) -> str:
    """Write what a module's streams all give."""
    return f"module {name}"


class Say(Protocol):
    """Says something, and bytes behind it."""

    def __call__(self, item: msgspec.Struct, behind: bytes = b"", /) -> object: ...
