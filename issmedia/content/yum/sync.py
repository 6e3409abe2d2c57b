"""Syncing a yum repository: upstream's files, checked against upstream's metadata, as one tree.

1. repomd.xml is read; where it is the previous one (and a directory still lists the same paths and sizes), done, unless
   keys or policies for signatures changed. Where a policy asks for that, its signature is judged before it is parsed.
2. A child parses it; primary and updateinfo are fetched and parsed likewise. These three decide: if one is damaged,
   weakly summed or a bomb, nothing is synced.
3. All other files are named: records, signature, kickstart tree, delta RPMs, packages; of a directory, whatever lies
   there.
4. They are fetched and checked. What cannot be had is left out, with the reason; the rest of the tree stands. So it
   does where comps or modules cannot be read. Then signatures of packages are judged, and of each repomd.xml within
   the tree; what is refused is left out.
5. repomd.xml is kept last. A signature that was there before and is gone is left out, and clients still ask for it.
6. repomd.xml is read again. Where it changed on the way, whether the rest failed or not, all of this is done once more:
   a snapshot is one moment of upstream. Where it changed again, nothing is synced.

Where only a selection is wanted, `content.yum.selecting` does the same with other steps between 2 and 5. Mirrors and
resuming belong to the upstream and the sink, signatures to `content.yum.trusting`.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import BinaryIO

from issmedia.base.digest import digest_of
from issmedia.base.errors import AbsentError, FormatError, Problem, UntrustedError, UpstreamError
from issmedia.base.events import Finished, Report, Started, Warned
from issmedia.base.units import count_text
from issmedia.content.base import UNCHECKED, Checks, Expected, Previous, Sink, Synced, Upstream
from issmedia.content.yum import treeinfo
from issmedia.content.yum.fetch import Fetcher
from issmedia.content.yum.inventory import (
    KEY,
    SIGNATURE,
    blobs_of_packages,
    is_signed,
    read_advisories,
    read_deltas,
    read_groups_and_modules,
    read_packages,
    require_primary,
    the_record,
)
from issmedia.content.yum.moment import in_one_moment
from issmedia.content.yum.nested import called_by, called_in, merged, repomds
from issmedia.content.yum.parsed import Record
from issmedia.content.yum.reader import Parser
from issmedia.content.yum.trusting import Trusting
from issmedia.content.yum.variants import want_variant
from issmedia.content.yum.wanted import REPOMD, Called, Wanted, want_deltas, want_listing, want_records, want_tree_files
from issmedia.model.names import shown
from issmedia.model.package import Group, Inventory, ModuleStream, Package
from issmedia.model.tree import Entry, tree_of

MAX_SIGNATURE = 1 << 20
"""Bytes of repomd.xml.asc."""

_DELTAS = ("prestodelta", "deltainfo")
"""The kinds of record that name delta RPMs: the usual one, and a former one."""

_PHASE = "packages and files"
_STRIPPED = (
    "upstream signed its metadata before and does not now; clients go on asking for the signature "
    "(to accept this, remove the repository and add it again)"
)


def sync(
    upstream: Upstream,
    sink: Sink,
    previous: Previous | None,
    report: Report,
    *,
    checks: Checks = UNCHECKED,
    parser: Parser | None = None,
) -> Synced:
    """Sync a repository. `UpstreamError` or `FormatError` where nothing usable is there; blobs kept until then stay.

    `UntrustedError` where what is there is not signed as `checks` asks.
    """
    fetcher = Fetcher(upstream, sink, report, entries_of(previous))

    def attempt(repomd: bytes) -> Synced:
        listing = upstream.listing()
        with Trusting(fetcher, checks, previous) as trusting:
            if previous is not None and trusting.is_settled() and _is_same(previous, repomd, listing):
                return Synced(previous.tree, None, previous.signed_metadata, unchanged=True, trust=previous.trust)
            was_signed = previous is not None and previous.signed_metadata
            return Syncing(fetcher, repomd, listing, parser or Parser(), trusting=trusting).run(was_signed=was_signed)

    return in_one_moment(fetcher, attempt)


class Syncing:
    """One sync under way: what is wanted, and what was had."""

    def __init__(
        self, fetcher: Fetcher, repomd: bytes, listing: dict[str, int] | None, parser: Parser, *, trusting: Trusting
    ) -> None:
        self.fetcher = fetcher
        self.trusting = trusting
        self.repomd = repomd
        self.listing = listing
        self.parser = parser
        self.wanted = Wanted()
        self.entries: dict[str, Entry] = {}
        self.records: list[Record] = []
        self._read = {REPOMD}
        self._asked_for_signature = False
        self._signature: bytes | None = None

    def run(self, *, was_signed: bool) -> Synced:
        """Do steps 2 to 5, once upstream may be believed."""
        self.judge_metadata()
        primary = self.read_records()
        packages = self.read_packages(primary)
        advisories = read_advisories(self.records, self.entries, self.fetcher.sink.open, self.parser)
        self.want_the_rest()
        self.wanted.drop_collisions((REPOMD, primary.href))
        self.fetch_the_rest()
        self.require_some(packages)
        self.judge_packages()
        self.entries[REPOMD] = self.fetcher.keep(REPOMD, self.repomd)
        tree = tree_of(self.entries[path] for path in self.wanted.files if path in self.entries)
        inventory = Inventory(blobs_of_packages(packages, self.entries), advisories, *self.read_groups_and_modules())
        if was_signed:
            self.require_signature()
        left_out = tuple(sorted(self.wanted.left_out, key=lambda one: one.path))
        return Synced(tree, inventory, was_signed or is_signed(tree), left_out, trust=self.trusting.outcome)

    def judge_metadata(self) -> None:
        """End step 1: judge repomd.xml by its signature, which is read for that where it matters."""
        signature = self.signature if self.trusting.asks_for_a_signature else None
        fault = next((one.reason for one in self.wanted.left_out if one.path == SIGNATURE), None)
        self.trusting.judge_metadata(self.repomd, signature, fault)

    @property
    def signature(self) -> bytes | None:
        """Read the signature of repomd.xml, once: what is judged is what is kept.

        No `cached_property`: before Python 3.12 one lock is all instances', and here one waits for its turn.
        """
        if not self._asked_for_signature:
            self._asked_for_signature = True
            self._signature = self.small_file(SIGNATURE, MAX_SIGNATURE)
            if self._signature is not None:
                self.trusting.saw_signature()
        return self._signature

    def read_records(self) -> Record:
        """Begin step 2: parse repomd.xml, fetch primary and updateinfo; give the record of primary."""
        self.wanted.add(REPOMD, Expected(len(self.repomd), ("sha256", digest_of(self.repomd))))
        with _memory_file(self.repomd) as file:
            self.records = want_records(self.parser.records(file, where=REPOMD), self.wanted)
        primary = require_primary(self.records, self.wanted)
        self.entries[primary.href] = self.fetcher.one(primary.href, self.wanted.files[primary.href])
        if updateinfo := the_record(self.records, "updateinfo"):
            self.try_one(updateinfo.href)
        return primary

    def read_packages(self, primary: Record) -> list[Package]:
        """Parse primary and want what it lists."""
        return read_packages(primary, self.entries, self.fetcher.sink.open, self.wanted, self.parser)

    def want_the_rest(self) -> None:
        """Do step 3."""
        for path in SIGNATURE, KEY:
            data = self.signature if path == SIGNATURE else self.small_file(path, MAX_SIGNATURE)
            if data is not None:
                self.keep(path, data)
        for path in self.want_kickstart_trees():
            for entry in want_variant(path, self.wanted, self.fetcher, self.parser, admit=self.trusting.admit):
                self.entries[entry.path] = entry
                self._read.add(entry.path)
        self.want_deltas()
        if self.listing is not None:
            want_listing(self.listing, self.wanted)
            self.leave_out_absent(self.listing)

    def want_deltas(self) -> None:
        """Want the delta RPMs that are named; a document of theirs that cannot be read is carried, and that is told."""
        for record in [one for one in self.records if one.kind in _DELTAS and one.href in self.wanted.files]:
            if record.href not in self.entries:
                self.try_one(record.href)
            try:
                want_deltas(read_deltas(record, self.entries, self.fetcher.sink.open, self.parser), self.wanted)
            except FormatError as error:
                self.fetcher.report(Warned(f"cannot be read, and is carried as it is: {error.message}", error.where))

    def leave_out_absent(self, listing: dict[str, int]) -> None:
        """Leave out what is named and does not lie there, even where the store holds a blob like it."""
        for path in [path for path in self.wanted.files if path not in listing and path not in self.entries]:
            if path != REPOMD:
                del self.wanted.files[path]
                self.wanted.leave_out(path, "is not there")

    def want_kickstart_trees(self) -> list[str]:
        """Keep each treeinfo and want the files it names; give where in the tree variants have repositories."""
        found: dict[str, None] = {}
        for path in treeinfo.PATHS:
            if (data := self.small_file(path, treeinfo.MAX_BYTES)) is not None:
                found |= dict.fromkeys(self.want_kickstart_tree(path, data))
        return list(found)

    def want_kickstart_tree(self, path: str, data: bytes) -> list[str]:
        """Keep a treeinfo and want the files it names; one that cannot be read is left out."""
        try:
            named = treeinfo.files_named(data, where=path)
            within = treeinfo.repositories_within(data, where=path)
        except FormatError as error:
            self.wanted.leave_out(path, error.message)
            return []
        self.keep(path, data)
        repomd = named.pop(REPOMD, None)
        if repomd and repomd[0] == "sha256" and repomd[1] != digest_of(self.repomd):
            self.fetcher.report(Warned(f"expects {REPOMD} with sha256 {shown(repomd[1])}, upstream has another", path))
        want_tree_files(named, self.wanted)
        return within

    def fetch_the_rest(self) -> None:
        """Do step 4."""
        items = [item for item in self.wanted.files.items() if item[0] != REPOMD and item[0] not in self.entries]
        self.fetcher.report(Started(_PHASE, len(items), sum(expected.size or 0 for _, expected in items)))
        with closing(self.fetcher.all(items)) as fetched:
            for found in fetched:
                if isinstance(found, Entry):
                    self.entries[found.path] = found
                else:
                    self.wanted.left_out.append(found)
        self.fetcher.report(Finished(_PHASE))

    def judge_packages(self) -> None:
        """End step 4: leave out the packages that are refused, and repositories within the tree that are."""
        within = [self.called_within(path) for path in repomds(self.entries) if path not in self._read]
        called = merged([self.wanted.called, *within]) if within else self.wanted.called
        for refused in self.trusting.judge_packages(self.entries, called, self.called_before):
            del self.entries[refused.path]
            self.wanted.left_out.append(refused)

    def called_within(self, path: str) -> Called:
        """Judge a repomd.xml that came as a file, and read what it calls packages, where these are judged.

        It is left out where it is refused, or cannot be read.
        """
        sink = self.fetcher.sink
        try:
            self.trusting.admit_kept(path, self.entries)
            return called_by(path, self.entries, sink.open, self.parser) if self.trusting.judges_packages else {}
        except (UpstreamError, FormatError, UntrustedError) as error:
            del self.entries[path]
            self.wanted.leave_out(path, error.message)
            return {}

    def called_before(self) -> Called:
        """Read what packages were called in the snapshot before, as far as that can be read."""
        return called_in(self.fetcher.before, self.fetcher.sink.open, self.parser)[0]

    def require_some(self, packages: list[Package]) -> None:
        """Raise `UpstreamError` where packages are listed and not one could be had."""
        if packages and not any(package.href in self.entries for package in packages):
            raise UpstreamError(
                f"none of {count_text(len(packages), 'package')} could be had",
                where=shown(self.fetcher.upstream.url),
                hint="see the reasons given for each; nothing was changed",
                problems=self.wanted.problems(),
            )

    def read_groups_and_modules(self) -> tuple[tuple[Group, ...], tuple[ModuleStream, ...], tuple[Problem, ...]]:
        """Read what only informs, once it is fetched; what is wrong with it is a warning, and the tree stands."""
        found = read_groups_and_modules(self.records, self.entries, self.fetcher.sink.open, self.parser)
        for problem in found[2]:
            self.fetcher.report(Warned(f"cannot be read, and is carried as it is: {problem.message}", problem.where))
        return found

    def require_signature(self) -> None:
        """Report a signature that is gone: whoever changes the metadata on their way could strip it, too."""
        if SIGNATURE not in self.entries and SIGNATURE not in (one.path for one in self.wanted.left_out):
            self.wanted.leave_out(SIGNATURE, _STRIPPED)

    def small_file(self, path: str, limit: int) -> bytes | None:
        """Read a file that need not be there; None where it is not, or was left out."""
        try:
            return self.fetcher.whole(path, limit)
        except AbsentError:
            return None
        except UpstreamError as error:
            self.wanted.leave_out(path, error.message)
            return None

    def keep(self, path: str, data: bytes) -> None:
        """Keep a file that was read whole."""
        if self.wanted.add(path, Expected(len(data), ("sha256", digest_of(data)))):
            self.entries[path] = self.fetcher.keep(path, data)

    def try_one(self, path: str) -> None:
        """Fetch a file now, or leave it out."""
        try:
            self.entries[path] = self.fetcher.one(path, self.wanted.files[path])
        except UpstreamError as error:
            del self.wanted.files[path]
            self.wanted.leave_out(path, error.message)


def entries_of(previous: Previous | None) -> dict[str, Entry]:
    """Give the entries of the tree before by their paths."""
    return {} if previous is None else {entry.path: entry for entry in previous.tree.entries}


def _is_same(previous: Previous, repomd: bytes, listing: dict[str, int] | None) -> bool:
    """Say whether the previous tree still is upstream's, as far as names, sizes and repomd.xml tell."""
    entry = previous.tree.find(REPOMD)
    if entry is None or entry.sha256 != digest_of(repomd):
        return False
    same = listing is None or listing == {entry.path: entry.size for entry in previous.tree.entries}
    return same and previous.is_whole()


@contextmanager
def _memory_file(data: bytes) -> Iterator[BinaryIO]:
    """Give bytes a descriptor, for a child to read."""
    with os.fdopen(os.memfd_create("repomd", os.MFD_CLOEXEC), "w+b") as file:
        file.write(data)
        file.seek(0)
        yield file
