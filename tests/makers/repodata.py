"""Repodata written by hand, so that each part of it can lie."""

import gzip
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

_COMMON = "http://linux.duke.edu/metadata/common"
_REPO = "http://linux.duke.edu/metadata/repo"


@dataclass(frozen=True)
class Pkg:
    """A package as primary.xml lists it: `data` gives checksum and size unless they are given."""

    href: str
    data: bytes = b"a package"
    name: str = "a"
    kind: str = "sha256"
    checksum: str | None = None
    size: str | None = None
    base: str = ""
    summary: str = "One"

    def xml(self) -> str:
        """Write its element."""
        checksum = self.checksum or hashlib.new(self.kind, self.data).hexdigest()
        base = f" xml:base={quoteattr(self.base)}" if self.base else ""
        return (
            f'<package type="rpm"><name>{escape(self.name)}</name><arch>noarch</arch>'
            f'<version epoch="0" ver="1" rel="1"/><checksum type="{self.kind}" pkgid="YES">{checksum}</checksum>'
            f"<summary>{self.summary}</summary><description/><packager/><url/>"
            f'<time file="1" build="1"/><size package="{self.size or len(self.data)}" installed="1" archive="1"/>'
            f"<location{base} href={quoteattr(self.href)}/><format/></package>\n"
        )


@dataclass(frozen=True)
class Rec:
    """A record of repomd.xml, its file's bytes, and what is claimed of it unpacked, by default nothing."""

    kind: str
    href: str
    data: bytes
    checksum_kind: str = "sha256"
    checksum: str | None = None
    size: int | None = None
    open_size: int | None = None
    open_checksum: tuple[str, str] | None = None
    base: str = ""

    def xml(self) -> str:
        """Write its element."""
        checksum = self.checksum or hashlib.new(self.checksum_kind, self.data).hexdigest()
        size = len(self.data) if self.size is None else self.size
        unpacked = "" if self.open_size is None else f"<open-size>{self.open_size}</open-size>"
        if self.open_checksum:
            unpacked += '<open-checksum type="{}">{}</open-checksum>'.format(*self.open_checksum)
        base = f" xml:base={quoteattr(self.base)}" if self.base else ""
        return (
            f'<data type="{self.kind}"><checksum type="{self.checksum_kind}">{checksum}</checksum>'
            f"<location{base} href={quoteattr(self.href)}/><size>{size}</size>{unpacked}</data>\n"
        )


def primary_xml(packages: Iterable[Pkg], *, count: int | str | None = None) -> bytes:
    """Write primary.xml; `count` is claimed in place of the true number."""
    listed = [package.xml() for package in packages]
    claimed = len(listed) if count is None else count
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<metadata xmlns="{_COMMON}" packages="{claimed}">\n'
    return (head + "".join(listed) + "</metadata>\n").encode()


def repomd_xml(records: Iterable[Rec]) -> bytes:
    """Write repomd.xml."""
    listed = "".join(record.xml() for record in records)
    return f'<?xml version="1.0"?>\n<repomd xmlns="{_REPO}">\n{listed}</repomd>\n'.encode()


def primary_record(data: bytes, *, open_size: int | None = None) -> Rec:
    """Describe a primary.xml, packed or not, as it is."""
    return Rec("primary", "repodata/primary.xml", data, open_size=open_size)


def write_repo(directory: Path, records: Iterable[Rec], files: Mapping[str, bytes] | None = None) -> Path:
    """Write repomd.xml, the records' files where their names allow it, and further files; give the directory."""
    found = list(records)
    named = {record.href: record.data for record in found if ".." not in record.href and record.href[0] != "/"}
    for path, data in {**named, **(files or {}), "repodata/repomd.xml": repomd_xml(found)}.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
    return directory


def write_packages(directory: Path, packages: Iterable[Pkg], *, absent: Iterable[str] = ()) -> Path:
    """Write a repository of packages, gz-packed, with their files where their names allow it."""
    found = list(packages)
    files = {one.href: one.data for one in found if ".." not in one.href and one.href[0] != "/" and not one.base}
    for href in absent:
        files.pop(href, None)
    packed = gzip.compress(primary_xml(found), mtime=0)
    return write_repo(directory, [Rec("primary", "repodata/primary.xml.gz", packed)], files)
