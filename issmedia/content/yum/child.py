"""The parsing child: reads a hostile document on descriptor 0; `python -m issmedia.content.yum.child` forks them.

The only module that imports createrepo_c. The document is unpacked under a cap into memory, then nothing can be
written or executed any more, and createrepo_c parses it; comps and modulemd have parsers of their own. A document that
is cut into slices is not kept in memory: it passes. What it says goes to descriptor 1: that it is ready, then a JSON
object a line (`content.yum.parsed`), a slice's bytes behind its line; a refusal goes to descriptor 2, with exit code
65. The parent trusts none of it.
"""

import contextlib
import datetime
import importlib
import os
import re
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

import createrepo_c
import msgspec

from issmedia.base.errors import FormatError
from issmedia.content.yum import confined
from issmedia.content.yum.parsed import (
    READY,
    SAID,
    Concerned,
    Job,
    Kind,
    Listed,
    Record,
    Related,
    Relation,
    Say,
)
from issmedia.content.yum.serving import serve
from issmedia.content.yum.unpack import Read, unpack
from issmedia.model.package import Advisory, Package, nevra_key

_TEXT = 500
"""Characters kept of a summary or title."""

_PARSERS: dict[Kind, tuple[str, ...]] = {"group": ("comps",), "modules": ("modulemd",), "prestodelta": ("deltas",)}
"""The parsers of ours, beside createrepo_c's."""

_SECONDS = 600
_PLACE = re.compile(r" ?'/proc/self/fd/[0-9]+'")
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}\Z")


def parse_document(request: bytes) -> None:
    """Parse one document; returns when all of it was said, and exits with `REFUSED` when it was refused."""
    job = msgspec.json.decode(request, type=Job)
    load_what_it_takes(job)
    with confined.refusing(createrepo_c.CreaterepoCError, expat.ExpatError, text=_without_our_places):
        os.write(1, READY)
        with open(1, "wb", SAID, closefd=False) as out:
            parse(0, _speaker(out), job)


def _without_our_places(refusal: Exception) -> str:
    return _PLACE.sub("", " ".join(str(refusal).split()))


def parse(fd: int, say: Say, job: Job) -> None:
    """Unpack and parse the document on a descriptor, saying what it lists; limits this process for good."""
    memory = os.memfd_create("repodata", os.MFD_CLOEXEC)
    limit_resources(job)
    if job.form == "slices":
        from issmedia.content.yum.cutting import say_slices

        forbid_writing()
        say_slices(partial(os.read, fd), say, job)
        return
    with open(memory, "wb", closefd=False) as out:
        count = _unpack(partial(os.read, fd), out.write, job)
    forbid_writing()
    if job.form == "relations":
        say_relations(f"/proc/self/fd/{memory}", say, job)
    else:
        _say_content(f"/proc/self/fd/{memory}", say, job, count)


def _unpack(read: Read, write: Callable[[bytes], object], job: Job) -> int | None:
    """Unpack a document; give the number of packages it claims, unless only some of them are wanted."""
    if job.wanted is None:
        return unpack(read, write, job)
    from issmedia.content.yum.cutting import unpack_wanted

    unpack_wanted(read, write, job)
    return None


def _say_content(path: str, say: Say, job: Job, count: int | None) -> None:
    if job.kind == "repomd":
        _records(path, say)
    elif job.kind == "updateinfo":
        _advisories(path, say)
    elif job.kind == "group":
        from issmedia.content.yum.comps import groups

        _each(groups, path, say)
    elif job.kind == "modules":
        from issmedia.content.yum.modulemd import module_streams

        _each(module_streams, path, say)
    elif job.kind == "prestodelta":
        from issmedia.content.yum.deltas import deltas

        _each(deltas, path, say)
    else:
        _packages(path, say, count)


def _speaker(out: BinaryIO) -> Say:
    encode = msgspec.json.Encoder().encode
    write = out.write

    def say(item: msgspec.Struct, behind: bytes = b"", /) -> None:
        write(encode(item) + b"\n")
        write(behind)

    return say


def limit_resources(job: Job) -> None:
    """Bound memory, time and descriptors. A memfd counts as a file, so its cap is the cap of files."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    confined.limit_resources(memory=job.memory, seconds=_SECONDS, written=job.limit, descriptors=16)


def forbid_writing() -> None:
    """Forbid this process to write to any file for good; pipes are none."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _records(path: str, say: Say) -> None:
    """Say the records; createrepo_c keeps only the last of a type, and clients differ, so each type may stand once."""
    repomd = createrepo_c.Repomd(path)
    records = repomd.records
    if (count := _data_elements(path)) != len(records):
        raise FormatError(f"it has {count:,} records, and only {len(records):,} with a type of their own")
    for record in records:
        say(
            Record(
                kind=record.type,
                href=record.location_href,
                base=record.location_base,
                size=record.size or None,
                checksum_type=record.checksum_type,
                checksum=record.checksum,
                open_size=record.size_open if record.size_open >= 0 else None,
                open_checksum_type=record.checksum_open_type,
                open_checksum=record.checksum_open,
                revision=(repomd.revision or "")[:_TEXT],
            )
        )


def _data_elements(path: str) -> int:
    count = 0

    def element(name: str, attributes: dict[str, str]) -> None:  # noqa: ARG001
        nonlocal count
        count += name == "data" or name.endswith(":data")

    parser = expat.ParserCreate()
    parser.StartElementHandler = element
    with Path(path).open("rb") as file:
        parser.ParseFile(file)
    return count


def _packages(path: str, say: Say, count: int | None) -> None:
    said = 0

    def each(package: createrepo_c.Package) -> None:
        nonlocal said
        said += 1
        say(Listed(_package(package), package.location_base))

    createrepo_c.xml_parse_primary(path, pkgcb=each, do_files=0)
    if count is not None and said != count:
        raise FormatError(f"it claims {count:,} packages and lists {said:,}")


def _package(package: createrepo_c.Package) -> Package:
    return Package(
        name=package.name,
        epoch=package.epoch or "0",
        version=package.version,
        release=package.release,
        arch=package.arch,
        href=package.location_href,
        checksum_type=package.checksum_type,
        checksum=package.pkgId,
        size=package.size_package,
        summary=(package.summary or "")[:_TEXT],
    )


def _advisories(path: str, say: Say) -> None:
    for record in createrepo_c.UpdateInfo(path).updates:
        say(_advisory(record))


def _advisory(record: createrepo_c.UpdateRecord) -> Advisory:
    cves = (reference.id or "" for reference in record.references if reference.type == "cve")
    return Advisory(
        id=record.id,
        kind=record.type or "",
        severity=record.severity or "",
        title=(record.title or "")[:_TEXT],
        issued=_issued(record),
        cves=tuple(dict.fromkeys(cve for cve in cves if _CVE.match(cve))),
    )


def _each(read: Callable[[BinaryIO], Iterable[msgspec.Struct]], path: str, say: Say) -> None:
    with Path(path).open("rb") as file:
        for one in read(file):
            say(one)


def say_relations(path: str, say: Say, job: Job) -> None:
    """Say what binds each package to others, or which packages each advisory names."""
    if job.kind == "updateinfo":
        for record in createrepo_c.UpdateInfo(path).updates:
            say(Concerned(_advisory(record), tuple(_concerned(record))))
    else:
        createrepo_c.xml_parse_primary(path, pkgcb=lambda package: say(_related(package)), do_files=1)


def _concerned(record: createrepo_c.UpdateRecord) -> Iterator[str]:
    for collection in record.collections:
        for one in collection.packages:
            yield nevra_key(one.name, one.epoch, one.version, one.release, one.arch)


def _related(package: createrepo_c.Package) -> Related:
    return Related(
        href=package.location_href,
        name=package.name,
        epoch=package.epoch or "0",
        version=package.version,
        release=package.release,
        arch=package.arch,
        checksum=package.pkgId,
        requires=tuple(map(_relation, package.requires)),
        provides=tuple(map(_relation, package.provides)),
        files=tuple(path + name for _, path, name, *_ in package.files),
        conflicts=tuple(map(_relation, package.conflicts)),
        obsoletes=tuple(map(_relation, package.obsoletes)),
    )


def _relation(found: tuple[str | None, ...]) -> Relation:
    name, flags, epoch, version, release = found[:5]
    return name or "", flags or "", epoch or "", version or "", release or ""


def _issued(record: createrepo_c.UpdateRecord) -> str:
    """Write the date of issue as RFC 3339, or nothing where upstream's text is none; it may be in seconds."""
    with contextlib.suppress(createrepo_c.CreaterepoCError, OverflowError, ValueError, OSError):
        when = record.issued_date
        if isinstance(when, int):
            when = datetime.datetime.fromtimestamp(when, datetime.UTC)
        if isinstance(when, datetime.datetime):
            return when.strftime("%Y-%m-%dT%H:%M:%SZ")
    return ""


def load_what_it_takes(job: Job) -> None:
    """Load what only some documents are parsed with, while nothing is forbidden yet; the nursery starts without."""
    cuts = job.form == "slices" or job.wanted is not None
    for name in (*_PARSERS.get(job.kind, ()), *(("cutting",) if cuts else ())):
        importlib.import_module(f"issmedia.content.yum.{name}")


if __name__ == "__main__":
    serve(parse_document)
