"""What the tree of a yum repository means, read from its repodata.

Packages and advisories that cannot be read are an error. Groups and module streams are only compared and shown: what is
wrong with those is told in `Inventory.unread`, and no error.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import BinaryIO, Protocol, TypeVar

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, Problem
from issmedia.content.yum.parsed import Delta, Record
from issmedia.content.yum.reader import Parser, Unpacked
from issmedia.content.yum.wanted import REPOMD, Wanted, want_packages, want_records
from issmedia.model.names import shown
from issmedia.model.package import Advisory, Group, Inventory, ModuleStream, Package
from issmedia.model.tree import Entry, Tree

SIGNATURE = REPOMD + ".asc"
KEY = REPOMD + ".key"

_COMPS = ("group_gz", "group_xz", "group_zst", "group")
"""The kinds of record that hold comps, in order of preference; they hold the same."""

Open = Callable[[Digest], BinaryIO]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Parse(Protocol[T_co]):
    """A method of `Parser` that reads one document."""

    def __call__(self, file: BinaryIO, unpacked: Unpacked, *, where: str) -> Sequence[T_co]:
        """Give what the document lists."""
        ...


def inventory(tree: Tree, open_blob: Open, *, parser: Parser | None = None) -> Inventory:
    """Read the repodata of a tree. `FormatError` where they are not there, malformed, or contradict the tree.

    A package that is listed and not in the tree was left out at sync; it is not in the inventory either.
    """
    parser = parser or Parser()
    entries = {entry.path: entry for entry in tree.entries}
    with open_blob(_entry(entries, REPOMD).sha256) as file:
        records = want_records(parser.records(file, where=REPOMD), wanted := Wanted())
    primary = require_primary(records, wanted)
    packages = read_packages(primary, entries, open_blob, wanted, parser)
    advisories = read_advisories(records, entries, open_blob, parser)
    others = read_groups_and_modules(records, entries, open_blob, parser)
    return Inventory(blobs_of_packages(packages, entries), advisories, *others)


def is_signed(tree: Tree) -> bool:
    """Say whether upstream's signature of repomd.xml is in the tree; whose it is, is not asked."""
    return tree.find(SIGNATURE) is not None


def the_record(records: Iterable[Record], kind: str) -> Record | None:
    """Give the one record of a kind, or None; `FormatError` where there are two."""
    found = [record for record in records if record.kind == kind]
    if len(found) > 1:
        raise FormatError(f"lists {len(found)} records of type {kind}, expected one", where=REPOMD)
    return found[0] if found else None


def require_primary(records: Iterable[Record], wanted: Wanted) -> Record:
    """Give the record of primary.xml; `FormatError` where there is none that could be used."""
    primary = the_record(records, "primary")
    if primary is None:
        raise FormatError("lists no primary that could be used", where=REPOMD, problems=wanted.problems())
    return primary


def read_packages(
    primary: Record, entries: Mapping[str, Entry], open_blob: Open, wanted: Wanted, parser: Parser
) -> list[Package]:
    """Parse primary.xml and want the packages it lists; those give the result, each href once."""
    with open_blob(_entry(entries, primary.href).sha256) as file:
        return want_packages(parser.packages(file, unpacked_as(primary), where=shown(primary.href)), wanted)


def read_advisories(
    records: Iterable[Record], entries: Mapping[str, Entry], open_blob: Open, parser: Parser
) -> tuple[Advisory, ...]:
    """Parse updateinfo.xml where the repository has one and it could be had."""
    return _read(the_record(records, "updateinfo"), parser.advisories, entries, open_blob)


def read_groups_and_modules(
    records: Iterable[Record], entries: Mapping[str, Entry], open_blob: Open, parser: Parser
) -> tuple[tuple[Group, ...], tuple[ModuleStream, ...], tuple[Problem, ...]]:
    """Parse comps.xml and modules.yaml likewise; last come those that cannot be read, and why."""
    unread: list[Problem] = []

    def attempt(record: Record | None, parse: Parse[T]) -> tuple[T, ...]:
        try:
            return _read(record, parse, entries, open_blob)
        except FormatError as error:
            unread.append(Problem(error.where or REPOMD, error.message))
            return ()

    there = [record for record in records if record.href in entries]
    comps, modules = comps_record(there), {record.kind: record for record in there}.get("modules")
    return attempt(comps, parser.groups), attempt(modules, parser.modules), tuple(unread)


def read_deltas(record: Record, entries: Mapping[str, Entry], open_blob: Open, parser: Parser) -> tuple[Delta, ...]:
    """Parse a prestodelta.xml where it could be had."""
    return _read(record, parser.deltas, entries, open_blob)


def comps_record(records: Iterable[Record]) -> Record | None:
    """Give the record of comps that is preferred, or None."""
    kinds = {record.kind: record for record in records}
    return next((kinds[kind] for kind in _COMPS if kind in kinds), None)


def blobs_of_packages(packages: Iterable[Package], entries: Mapping[str, Entry]) -> tuple[tuple[Digest, Package], ...]:
    """Pair the packages that are there with their blobs; `FormatError` where a blob is not what primary.xml says."""
    pairs = [(entries[package.href], package) for package in packages if package.href in entries]
    for entry, package in pairs:
        other = package.checksum_type == "sha256" and package.checksum != entry.sha256
        if other or entry.size != package.size:
            raise _contradiction(entry, package)
    return tuple((entry.sha256, package) for entry, package in pairs)


def unpacked_as(record: Record) -> Unpacked:
    """Give what repomd.xml says of a document once it is unpacked."""
    known = record.open_checksum_type is not None and record.open_checksum is not None
    checksum = (record.open_checksum_type or "", record.open_checksum or "") if known else None
    return Unpacked(record.open_size, checksum)


def _read(record: Record | None, parse: Parse[T], entries: Mapping[str, Entry], open_blob: Open) -> tuple[T, ...]:
    """Parse a document where the repository has one and it could be had."""
    if record is None or record.href not in entries:
        return ()
    with open_blob(entries[record.href].sha256) as file:
        return tuple(parse(file, unpacked_as(record), where=shown(record.href)))


def _contradiction(entry: Entry, package: Package) -> FormatError:
    return FormatError(
        f"expected {package.checksum_type} {package.checksum} of {package.size:,} bytes, "
        f"the tree has sha256 {entry.sha256} of {entry.size:,} bytes",
        where=shown(package.href),
    )


def _entry(entries: Mapping[str, Entry], path: str) -> Entry:
    if path not in entries:
        raise FormatError("is not in the tree", where=shown(path))
    return entries[path]
