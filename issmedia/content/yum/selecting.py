"""Syncing a selection: upstream's packages that are wanted, and repodata made for just these.

1. repomd.xml is read; where the snapshot before was made from the same, by the same selection, done. It is read again
   at the end, as for a whole repository. Upstream's signature of it is judged as there.
2. The documents of the repodata are fetched, primary is parsed; records of other kinds are passed over.
3. The selection chooses, by what advisories and module streams say; dependencies are added where it says so.
4. What was chosen is fetched, and the kickstart tree unless that is not wanted. Signatures of packages are judged.
5. Repodata are made as for a part of a repository, dated by upstream's revision: same upstream, same bytes.

Upstream's repomd.xml and its signature are not in the tree: it is another repository now, which nobody signed. That
upstream signs is remembered all the same, for the day on which a key is pinned.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime

from issmedia.base.digest import digest_of
from issmedia.base.errors import FormatError, UpstreamError
from issmedia.base.events import Report, Warned
from issmedia.content.base import UNCHECKED, Checks, Choice, Previous, Sink, Synced, Upstream
from issmedia.content.yum.dependencies import needs_of
from issmedia.content.yum.documents import Documents
from issmedia.content.yum.fetch import Fetcher
from issmedia.content.yum.inventory import blobs_of_packages
from issmedia.content.yum.moment import in_one_moment
from issmedia.content.yum.partial import Form, partial_repodata
from issmedia.content.yum.reader import Parser
from issmedia.content.yum.sync import Syncing, entries_of
from issmedia.content.yum.trusting import Trusting
from issmedia.content.yum.wanted import REPOMD
from issmedia.model.names import shown
from issmedia.model.package import Inventory, Package
from issmedia.model.selection import Build, Selected, chosen, completed, key_of, permitted, speaks_of
from issmedia.model.tree import Tree, tree_of

_REMADE = ("primary", "filelists", "other", "updateinfo", "group", "group_gz", "group_xz", "group_zst", "modules")
"""Kinds of record that can be made for a part."""

_LAST = 253402300799
"""The last second of the year 9999; a revision may be any text."""

_UNSIGNED = "upstream signs its repomd.xml; a selection has one of our own, which clients are told not to ask a sign of"


def sync_selection(
    upstream: Upstream,
    sink: Sink,
    previous: Previous | None,
    report: Report,
    *,
    choice: Choice,
    checks: Checks = UNCHECKED,
    parser: Parser | None,
) -> Synced:
    """Sync what is wanted of a repository. Errors as of `sync`."""
    fetcher = Fetcher(upstream, sink, report, entries_of(previous))

    def attempt(repomd: bytes) -> Synced:
        selected = Selected(digest_of(repomd), choice.selection, tuple(tree.digest for tree in choice.beside))
        same = previous is not None and previous.selected == selected and previous.is_whole()
        with Trusting(fetcher, checks, previous) as trusting:
            if previous is not None and same and trusting.is_settled():
                return Synced(previous.tree, None, False, unchanged=True, selected=selected, trust=previous.trust)
            syncing = Syncing(fetcher, repomd, None, parser or Parser(), trusting=trusting)
            was_signed = previous is not None and previous.signed_metadata
            return _Selecting(syncing, choice).run(selected, was_signed=was_signed)

    return in_one_moment(fetcher, attempt)


class _Selecting:
    """The sync of a selection under way."""

    def __init__(self, syncing: Syncing, choice: Choice) -> None:
        self.syncing = syncing
        self.choice = choice
        self.documents: set[str] = set()
        self.whole: frozenset[str] = frozenset()

    def run(self, selected: Selected, *, was_signed: bool) -> Synced:
        """Do steps 2 to 5, once upstream may be believed."""
        self.syncing.judge_metadata()
        packages = self.choose(self.read_documents())
        self.fetch(packages)
        tree, made = self.remake([one for one in packages if one.href in self.syncing.entries])
        left_out = tuple(sorted(self.syncing.wanted.left_out, key=lambda one: one.path))
        return Synced(
            tree,
            self.inventory(made, packages),
            False,
            left_out,
            selected=selected,
            trust=self.syncing.trusting.outcome,
            upstream_signed=was_signed or self.syncing.signature is not None,
        )

    def read_documents(self) -> list[Package]:
        """Do step 2; give the packages that upstream has."""
        syncing = self.syncing
        primary = syncing.read_records()
        remade = {record.href for record in syncing.records if record.kind in _REMADE}
        for record in syncing.records:
            if record.href not in remade:
                syncing.wanted.files.pop(record.href, None)
            elif record.href not in syncing.entries and record.href in syncing.wanted.files:
                syncing.try_one(record.href)
        syncing.records = [record for record in syncing.records if record.href in syncing.entries]
        if syncing.signature is not None:
            syncing.fetcher.report(Warned(_UNSIGNED, shown(syncing.fetcher.upstream.url)))
        self.documents = set(syncing.wanted.files)
        return syncing.read_packages(primary)

    def choose(self, packages: Sequence[Package]) -> list[Package]:
        """Do step 3; `UpstreamError` where nothing is left of what upstream has."""
        selection = self.choice.selection
        allowed = permitted(packages, selection)
        self.whole = frozenset(map(key_of, allowed))
        documents = Documents(self.upstream_tree(), self.syncing.fetcher.sink.open, self.syncing.parser)
        builds = self.builds(documents)
        found = chosen(allowed, selection, named=self.named(documents), builds=builds)
        if selection.with_dependencies:
            found = self.with_dependencies(documents, allowed, found, builds)
        if packages and not found:
            raise UpstreamError(
                "the selection chooses none of its packages",
                where=self.where,
                hint="issmedia repo set PRODUCT/REPO changes the selection",
            )
        return found

    def with_dependencies(
        self, documents: Documents, allowed: Sequence[Package], found: Sequence[Package], builds: Sequence[Build]
    ) -> list[Package]:
        """Add what is needed, and the streams that this belongs to, until nothing more is."""
        hrefs = {one.href for one in found}
        with needs_of(documents, {one.href for one in allowed}, self.choice) as needs:
            while more := needs.of(hrefs) - hrefs:
                hrefs |= {one.href for one in completed(allowed, more, builds)}
        return [one for one in allowed if one.href in hrefs]

    def named(self, documents: Documents) -> set[str]:
        """Name the packages of the selection's advisories."""
        wanted, record = self.choice.selection.advisories, documents.record("updateinfo")
        if not wanted:
            return set()
        if record is None:
            raise UpstreamError(
                "has no advisories to select by",
                where=self.where,
                hint="issmedia repo set PRODUCT/REPO --everything",
            )
        with documents.opened(record) as (file, unpacked, where):
            told = self.syncing.parser.concerned(file, unpacked, where=where)
        return {name for one in told if speaks_of(one.advisory, wanted) for name in one.packages}

    def builds(self, documents: Documents) -> list[Build]:
        """List the builds of module streams; where they cannot be read, none, with a warning."""
        try:
            return list(_builds(documents))
        except FormatError as error:
            self.syncing.fetcher.report(Warned(f"cannot be read, and no stream is kept whole: {error}", error.where))
            return []

    def fetch(self, packages: Sequence[Package]) -> None:
        """Do step 4."""
        syncing = self.syncing
        kept = self.documents.union(package.href for package in packages)
        for path in [path for path in syncing.wanted.files if path not in kept]:
            del syncing.wanted.files[path]
        if self.choice.selection.kickstart:
            syncing.want_kickstart_trees()
        syncing.wanted.drop_collisions((REPOMD,))
        syncing.fetch_the_rest()
        if packages:
            syncing.require_some(list(packages))
        syncing.judge_packages()

    def remake(self, packages: Sequence[Package]) -> tuple[Tree, Tree]:
        """Do step 5: give the whole tree, and that of the repodata alone."""
        syncing, selection = self.syncing, self.choice.selection
        form = Form(_moment(syncing.records[0].revision), selection.packing, self.whole)
        (files,) = partial_repodata(
            self.upstream_tree(),
            syncing.fetcher.sink.open,
            [{one.href: one.href for one in packages}],
            parser=syncing.parser,
            form=form,
            report=syncing.fetcher.report,
            known=packages,
        )
        made = [syncing.fetcher.keep(file.path, file.content) for file in files]
        others = [entry for path, entry in syncing.entries.items() if path not in self.documents]
        return tree_of([*others, *made]), tree_of(made)

    def inventory(self, made: Tree, packages: Sequence[Package]) -> Inventory:
        """Read what was made, but for the packages, which are known."""
        syncing = self.syncing
        documents = Documents(made, syncing.fetcher.sink.open, syncing.parser)
        return Inventory(blobs_of_packages(packages, syncing.entries), *documents.described())

    def upstream_tree(self) -> Tree:
        """Give what was fetched so far, with upstream's repomd.xml."""
        syncing = self.syncing
        syncing.entries[REPOMD] = syncing.fetcher.keep(REPOMD, syncing.repomd)
        return tree_of(syncing.entries.values())

    @property
    def where(self) -> str:
        """Name upstream, for errors."""
        return shown(self.syncing.fetcher.upstream.url)


def _builds(documents: Documents) -> Iterator[Build]:
    record = documents.record("modules")
    if record is None:
        return
    with (
        documents.opened(record) as (file, unpacked, where),
        closing(documents.parser.slices("modules", file, unpacked, where=where)) as pieces,
    ):
        for piece, _ in pieces:
            if (one := piece.stream) and piece.whole:
                artifacts = tuple(part.key for part in piece.whole.inner)
                yield Build(one.name, one.stream, one.version, one.context, one.arch, artifacts)


def _moment(revision: str) -> str:
    """Read seconds since 1970 from a revision, which may be any text."""
    known = revision.isascii() and revision.isdigit() and len(revision) <= len(str(_LAST))
    seconds = min(int(revision), _LAST) if known else 0
    return datetime.fromtimestamp(seconds, UTC).isoformat()
