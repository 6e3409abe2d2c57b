"""The files a repository consists of: each path once, judged by the name grammar, with what is known of it."""

from collections.abc import Iterable, Mapping
from posixpath import normpath

from issmedia.base.errors import FormatError, Problem
from issmedia.content.base import Expected
from issmedia.content.yum.checksums import checksum_fault, strong_checksum
from issmedia.content.yum.parsed import Delta, Listed, Record
from issmedia.model.documents import LeftOut
from issmedia.model.names import collisions, path_fault, shown
from issmedia.model.package import Nevra, Package

Called = Mapping[str, tuple[Nevra, ...]]
"""What metadata call packages, by their paths: one name, or two that differ, though more may."""

REPOMD = "repodata/repomd.xml"
_MAX_RECORD = 8 << 30


class Wanted:
    """Paths in the order they were added, and what cannot be asked for, with the reason.

    One path with two checksums or sizes is a `FormatError`: clients would differ on which of them holds.
    """

    def __init__(self) -> None:
        self.files: dict[str, Expected] = {}
        self.left_out: list[LeftOut] = []
        self.called: dict[str, tuple[Nevra, ...]] = {}
        """As `Called`; whatever the name grammar thinks of an href, clients follow it."""

    def add(self, path: str, expected: Expected, *, base: str | None = None) -> bool:
        """Want a file, unless its name or its `xml:base` forbids that; say whether it is wanted."""
        if base:
            self.leave_out(path, f"has an xml:base, {shown(base)}, that leads out of the repository")
            return False
        if fault := path_fault(path):
            self.leave_out(path, f"the name {fault}")
            return False
        known = self.files.setdefault(path, expected)
        if not _agree(known, expected):
            raise FormatError(
                f"the metadata name it twice: {_words(known)} and {_words(expected)}",
                where=shown(path),
                hint="upstream's metadata contradict themselves; nothing was synced",
            )
        return True

    def leave_out(self, path: str, reason: str) -> None:
        """Report a file that cannot be had; a name is made safe to show."""
        self.left_out.append(LeftOut(shown(path), reason))

    def call(self, href: str, name: Nevra) -> None:
        """Note what metadata call a package. Of names that differ one is wrong: two of them tell as much as all."""
        path = href if (plain := normpath(href)) == href else plain  # one object where it is the same text
        names = self.called.get(path, ())
        if name not in names and len(names) < 2:
            self.called[path] = (*names, name)

    def problems(self) -> list[Problem]:
        """Give the first hundred of what is left out, for an error."""
        return [Problem(one.path, one.reason) for one in self.left_out[:100]]

    def drop_collisions(self, required: Iterable[str]) -> None:
        """Leave out paths that cannot lie beside earlier ones; `FormatError` where it hits a required one."""
        problems = {problem.where: problem for problem in collisions(self.files)}
        for path in required:
            if path in problems:
                raise FormatError(problems[path].message, where=path, problems=list(problems.values()))
        for path in [path for path in self.files if shown(path) in problems]:
            del self.files[path]
            self.leave_out(path, problems[shown(path)].message)


def want_records(records: Iterable[Record], wanted: Wanted) -> list[Record]:
    """Want each file that repomd.xml lists; give those wanted. `UpstreamError` where a checksum proves nothing."""
    return [record for record in records if wanted.add(record.href, _expected_record(record), base=record.base)]


def want_packages(listed: Iterable[Listed], wanted: Wanted) -> list[Package]:
    """Want each package once; give those wanted, in order. `UpstreamError` where a checksum proves nothing."""
    packages = (one.package for one in listed if _want_package(one, wanted))
    return list({package.href: package for package in packages}.values())


def want_tree_files(named: dict[str, tuple[str, str] | None], wanted: Wanted) -> None:
    """Want the files a treeinfo names; one whose checksum proves nothing is left out."""
    for path, checksum in named.items():
        if checksum and (fault := checksum_fault(*checksum)):
            wanted.leave_out(path, fault)
        elif path not in wanted.files or checksum:
            wanted.add(path, Expected(checksum=checksum))


def want_deltas(deltas: Iterable[Delta], wanted: Wanted) -> None:
    """Want the delta RPMs of a prestodelta; one whose checksum proves nothing is left out."""
    for one in deltas:
        if fault := checksum_fault(one.checksum_type, one.checksum):
            wanted.leave_out(one.href, fault)
        else:
            wanted.add(one.href, Expected(one.size, (one.checksum_type, one.checksum), limit=one.size))


def want_listing(listing: dict[str, int], wanted: Wanted) -> None:
    """Want everything else that lies in a directory; what is no regular file is left out."""
    said = {one.path for one in wanted.left_out}
    for path, size in listing.items():
        if path in wanted.files or shown(path) in said:
            continue
        if size < 0:
            wanted.leave_out(path, "is a link, or no regular file")
        else:
            wanted.add(path, Expected(size=size, limit=size))


def _want_package(listed: Listed, wanted: Wanted) -> bool:
    one = listed.package
    wanted.call(one.href, Nevra(one.name, one.epoch or "0", one.version, one.release, one.arch))
    return wanted.add(one.href, _expected(one), base=listed.base)


def _expected_record(record: Record) -> Expected:
    checksum = strong_checksum(record.checksum_type, record.checksum, of=f"{REPOMD}: {record.kind}")
    if record.open_checksum is not None or record.open_checksum_type is not None:
        strong_checksum(record.open_checksum_type, record.open_checksum, of=f"{REPOMD}: {record.kind} unpacked")
    return Expected(record.size, checksum, limit=_MAX_RECORD if record.size is None else record.size)


def _expected(package: Package) -> Expected:
    checksum = strong_checksum(package.checksum_type, package.checksum, of=package.href)
    if package.size < 0:
        raise FormatError(f"has a size of {package.size:,} bytes", where=shown(package.href))
    return Expected(package.size, checksum, limit=package.size)


def _agree(one: Expected, other: Expected) -> bool:
    sizes = one.size is None or other.size is None or one.size == other.size
    if one.checksum is None or other.checksum is None or one.checksum[0] != other.checksum[0]:
        return sizes
    return sizes and one.checksum == other.checksum


def _words(expected: Expected) -> str:
    kind, value = expected.checksum or ("no checksum", "")
    size = "" if expected.size is None else f", {expected.size:,} bytes"
    return f"{kind} {value}".strip() + size
