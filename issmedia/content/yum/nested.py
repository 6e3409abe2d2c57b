"""Repositories anywhere in a tree: its own, those of a kickstart tree's variants, and others that lie in a directory.

Clients can be pointed at each of them, so each counts: what it calls its packages, and who signed its repomd.xml.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, UpstreamError
from issmedia.content.yum.inventory import Open, require_primary, unpacked_as
from issmedia.content.yum.parsed import Listed, Record
from issmedia.content.yum.reader import MAX_REPOMD, Parser
from issmedia.content.yum.wanted import REPOMD, Called, Wanted, want_packages, want_records
from issmedia.model.names import shown
from issmedia.model.tree import Entry


def repomds(paths: Iterable[str]) -> list[str]:
    """List the paths of the repomd.xml among these, sorted; the tree's own, where it is there, comes first."""
    found = {path for path in paths if path == REPOMD or path.endswith(f"/{REPOMD}")}
    return sorted(found, key=lambda path: (path != REPOMD, path))


def called_in(entries: Mapping[str, Entry], open_blob: Open, parser: Parser) -> tuple[Called, dict[str, str]]:
    """Give what all repositories in a tree call its packages, and why which repomd.xml cannot be read, by its path."""
    called: dict[str, Called] = {}
    unread = {}
    for path in repomds(entries):
        try:
            called[path] = called_by(path, entries, open_blob, parser)
        except (FormatError, UpstreamError) as error:
            unread[path] = error.message
    return merged(called.values()), unread


def called_by(repomd: str, entries: Mapping[str, Entry], open_blob: Open, parser: Parser) -> Called:
    """Give what one repository calls its packages, wherever in the tree they lie; `repomd` is the path of its own.

    `FormatError` or `UpstreamError` where it cannot be read.
    """
    directory, wanted = repomd.removesuffix(REPOMD), Wanted()
    if entries[repomd].size > MAX_REPOMD:
        raise FormatError(f"is longer than {MAX_REPOMD:,} bytes", where=shown(repomd))
    with open_blob(entries[repomd].sha256) as file:
        records = [record_in(directory, one) for one in parser.records(file, where=shown(repomd))]
    primary = require_primary(want_records(records, wanted), wanted)
    with open_blob(_blob(entries, primary.href)) as file:
        listed = parser.packages(file, unpacked_as(primary), where=shown(primary.href))
    want_packages((listed_in(directory, one) for one in listed), wanted)
    return wanted.called


def merged(several: Iterable[Called]) -> Called:
    """Put together what several repositories call packages."""
    wanted = Wanted()
    for called in several:
        for path, names in called.items():
            for name in names:
                wanted.call(path, name)
    return wanted.called


def record_in(directory: str, record: Record) -> Record:
    """Give a record of a repository in a directory (empty, or with a slash at its end) as seen from the tree."""
    return replace(record, href=f"{directory}{record.href}")


def listed_in(directory: str, listed: Listed) -> Listed:
    """Give a package of a repository in a directory as seen from the tree."""
    return replace(listed, package=replace(listed.package, href=f"{directory}{listed.package.href}"))


def _blob(entries: Mapping[str, Entry], path: str) -> Digest:
    if path not in entries:
        raise FormatError("its primary.xml is not in the tree", where=shown(path))
    return entries[path].sha256
