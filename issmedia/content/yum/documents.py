"""The documents of a tree's repodata that are there, each opened for the parser."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from issmedia.base.errors import FormatError, Problem
from issmedia.content.yum.inventory import (
    Open,
    blobs_of_packages,
    comps_record,
    read_advisories,
    read_groups_and_modules,
    require_primary,
    the_record,
    unpacked_as,
)
from issmedia.content.yum.parsed import Kind, Record
from issmedia.content.yum.reader import Parser, Unpacked
from issmedia.content.yum.wanted import REPOMD, Wanted, want_packages, want_records
from issmedia.model.names import shown
from issmedia.model.package import Advisory, Group, ModuleStream, Package
from issmedia.model.tree import Entry, Tree


class Documents:
    """A tree's repodata, its repomd.xml read; `FormatError` where that is not there or lists no primary."""

    def __init__(self, tree: Tree, open_blob: Open, parser: Parser) -> None:
        self.entries = {entry.path: entry for entry in tree.entries}
        self.parser = parser
        self.open_blob = open_blob
        self._wanted = Wanted()
        with open_blob(self._entry(REPOMD).sha256) as file:
            self._records = want_records(parser.records(file, where=REPOMD), self._wanted)
        self.primary = require_primary(self._records, self._wanted)
        self._entry(self.primary.href)

    def packages(self, only: set[str] | None = None) -> list[Package]:
        """List the packages that are in the tree, in upstream's order, each href once; `only` those at these paths."""
        few = only if only is not None and self.is_few(only) else None
        with self.opened(self.primary) as (file, unpacked, where):
            listed = self.parser.packages(file, unpacked, where=where, only=few)
        packages = [one for one in want_packages(listed, self._wanted) if only is None or one.href in only]
        return [package for _, package in blobs_of_packages(packages, self.entries)]

    def described(
        self,
    ) -> tuple[tuple[Advisory, ...], tuple[Group, ...], tuple[ModuleStream, ...], tuple[Problem, ...]]:
        """Read advisories, groups and module streams, and which of the last two cannot be read."""
        advisories = read_advisories(self._records, self.entries, self.open_blob, self.parser)
        return advisories, *read_groups_and_modules(self._records, self.entries, self.open_blob, self.parser)

    def record(self, kind: Kind) -> Record | None:
        """Give the record of a kind whose file is there, or None; `FormatError` where two are listed."""
        there = [record for record in self._records if record.href in self.entries]
        return comps_record(there) if kind == "group" else the_record(there, kind)

    @contextmanager
    def opened(self, record: Record) -> Iterator[tuple[BinaryIO, Unpacked, str]]:
        """Open a document that is there: the file, what it must be once unpacked, and its name for errors."""
        with self.open_blob(self.entries[record.href].sha256) as file:
            yield file, unpacked_as(record), shown(record.href)

    def is_few(self, wanted: set[str]) -> bool:
        """Say whether it is quicker to look for these than to read all."""
        return 2 * len(wanted) < len(self.entries)

    def _entry(self, path: str) -> Entry:
        if path not in self.entries:
            raise FormatError("is not in the tree", where=shown(path))
        return self.entries[path]
