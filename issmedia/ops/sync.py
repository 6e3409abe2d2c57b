"""sync: upstream → snapshot. The content type reads upstream, the store keeps the bytes, the catalog the names."""

import contextlib
from collections.abc import Iterable
from datetime import datetime
from typing import BinaryIO

import msgspec
from msgspec.structs import replace

from issmedia.base.digest import Digest, Read, digest_of
from issmedia.base.errors import DamagedBlobError, UpstreamError
from issmedia.base.events import Report, Warned
from issmedia.content.base import Checks, Choice, ContentType, Expected, Opening, Previous, Stream, Synced, Upstream
from issmedia.depot.catalog import Session
from issmedia.depot.depot import OwnedDepot
from issmedia.depot.partials import Partial
from issmedia.depot.store import Store, Writing
from issmedia.model.documents import MAX_OPENPGP_KEY, LeftOut, Repository, Snapshot
from issmedia.model.judgement import Outcome
from issmedia.model.move import Move, moved_facts
from issmedia.model.package import Inventory
from issmedia.model.selection import Selection
from issmedia.model.tree import tree_of


class SyncResult(msgspec.Struct, frozen=True):
    """What a sync did. `changed` says a new snapshot was made; `incomplete` is what could not be had.

    `selected` says that it is a selection of what upstream has, `trust` what checking its signatures gave.
    """

    repository: str
    changed: bool
    tree: Digest
    files: int
    packages: int
    size: int
    incomplete: tuple[LeftOut, ...]
    selected: bool = False
    trust: Outcome | None = None


def sync(
    repository: Repository, upstream: Upstream, depot: OwnedDepot, content: ContentType, *, now: str, report: Report
) -> SyncResult:
    """Bring upstream's state into the depot, bytes unchanged, or what is selected of it.

    What fails, or is not signed as it must be, leaves the snapshot before as current.
    """
    with depot.catalog.reading() as db:
        before = db.names.current(repository.path)
        neighbours = _neighbours(db, repository)
        signed = db.names.ever_signed(repository.path)
    previous = _previous(before, depot.store, signed=signed)
    run = content.sync
    if repository.selection is not None:
        run = content.selecting(_choice(repository.selection, neighbours, depot.store))
    with depot.store.writing() as writing:
        checks = _checks(repository, depot.store, now=now)
        found = run(upstream, StoreSink(depot.store, writing), previous, report, checks=checks)
        listing = found.tree.encode()
        if not depot.store.has(digest_of(listing), len(listing)):
            writing.add_bytes(listing)
    for item in found.incomplete:
        report(Warned(item.reason, where=f"{repository.path}: {item.path}"))
    if found.unchanged and before is not None:
        return _result(before, changed=False)
    inventory = found.inventory or content.inventory(found.tree, depot.store.open)
    snapshot = _snapshot(repository, upstream, found, inventory, now=now)
    changed = before is None or _facts(before) != _facts(snapshot)
    if changed:
        _record(depot, before, snapshot, inventory, now=now)
    elif before is not None:
        _restate(depot, before, snapshot)
    return _result(snapshot, changed=changed)


def _checks(repository: Repository, store: Store, *, now: str) -> Checks:
    """Say how upstream's signatures are judged."""
    keys = tuple(store.read(key, MAX_OPENPGP_KEY) for key in repository.keys)
    seconds = int(datetime.fromisoformat(now).timestamp())
    return Checks(keys, repository.gpgcheck, repository.repo_gpgcheck, seconds)


def _previous(before: Snapshot | None, store: Store, *, signed: bool) -> Previous | None:
    """Give the tree before. One whose blobs an audit set aside lacks something; one whose listing is gone, all.

    So does what was rolled back to nothing; that upstream `signed` stays known.
    """
    if before is None:
        return _nothing(signed=True) if signed else None
    try:
        tree = store.tree(before.tree)
    except DamagedBlobError:
        return _nothing(signed=signed)

    def is_whole() -> bool:
        return not before.incomplete and all(store.has(entry.sha256, entry.size) for entry in tree.entries)

    return Previous(tree, is_whole, signed, before.selected, before.trust)


def _nothing(*, signed: bool) -> Previous:
    return Previous(tree_of(()), lambda: False, signed)


def _neighbours(db: Session, repository: Repository) -> list[tuple[Repository, Snapshot]]:
    """List the other repositories of the product that have a snapshot, where dependencies may lie in them."""
    if repository.selection is None or not repository.selection.with_dependencies:
        return []
    others = [one for one in db.names.repositories(repository.product) if one.path != repository.path]
    return [(one, snapshot) for one in others if (snapshot := db.names.current(one.path))]


def _choice(selection: Selection, neighbours: list[tuple[Repository, Snapshot]], store: Store) -> Choice:
    """Say what is wanted; what a neighbour needs is, where its own selection is with dependencies."""
    trees = {one.path: store.tree(snapshot.tree) for one, snapshot in neighbours}
    needing = [one.path for one, _ in neighbours if one.selection and one.selection.with_dependencies]
    return Choice(selection, tuple(trees.values()), tuple(trees[path] for path in needing))


def _facts(snapshot: Snapshot) -> tuple[object, ...]:
    """Give what makes a snapshot another one; that its neighbours changed does not."""
    selected = snapshot.selected
    return snapshot.tree, snapshot.incomplete, selected and (selected.upstream, selected.selection)


class StoreSink:
    """The store as a content type sees it while it syncs."""

    def __init__(self, store: Store, writing: Writing) -> None:
        self._store = store
        self._writing = writing

    def expect(self, sizes: Iterable[int]) -> None:
        """Learn what is to come: the next `keep` is refused where it will not fit."""
        self._writing.expect(sizes)

    def keep(self, stream: Stream, expected: Expected) -> tuple[Digest, int]:
        """Store a stream; bytes that are not what the metadata say are refused, and nothing is kept."""
        limit = _limit(expected)
        return self._writing.add(
            stream.readinto,
            limit=limit,
            check=lambda digest, size, others: _check(expected, limit, digest, size, others),
            also=_also(expected),
            clone=stream.fileno,
        )

    def fetch(self, opening: Opening, expected: Expected) -> tuple[Digest, int]:
        """Store a file of an upstream. What came of it before is its beginning, where the metadata tell it by checksum.

        Size and checksum decide whether it is the same file, not what a server says of it; so another mirror may go on.
        """
        if expected.checksum is None:
            with opening(0) as stream:
                return self.keep(stream, expected)
        wanted = f"{expected.checksum[0]} {expected.checksum[1]} {expected.size}"
        if expected.checksum[0] != "sha256" or expected.size is None:
            return self._begin(wanted, opening, expected)
        digest, size = Digest(expected.checksum[1]), expected.size

        def work() -> tuple[Digest, int]:
            """Another repository may have fetched it meanwhile."""
            missing = self.missing([(digest, size)])
            return self._begin(wanted, opening, expected) if missing else (digest, size)

        return self._writing.once.do(wanted, work)

    def _begin(self, wanted: str, opening: Opening, expected: Expected) -> tuple[Digest, int]:
        with self._writing.partials.taken(wanted, limit=_limit(expected)) as partial:
            if partial is not None:
                return self._go_on(partial, opening, expected)
        with opening(0) as stream:
            return self.keep(stream, expected)

    def _go_on(self, partial: Partial, opening: Opening, expected: Expected) -> tuple[Digest, int]:
        if partial.size == expected.size:
            with contextlib.suppress(UpstreamError):  # these were other bytes: they are gone now
                return self._add(partial, partial.readinto, expected)
        with opening(partial.size) as stream:
            if stream.fileno is not None:
                return self.keep(stream, expected)
            if stream.start != partial.size:
                partial.drop()
            return self._add(partial, lambda buffer: partial.readinto(buffer) or stream.readinto(buffer), expected)

    def _add(self, partial: Partial, read: Read, expected: Expected) -> tuple[Digest, int]:
        limit = _limit(expected)
        return self._writing.add_partial(
            partial,
            read,
            limit=limit,
            check=lambda digest, size, others: _check(expected, limit, digest, size, others),
            also=_also(expected),
        )

    def missing(self, blobs: Iterable[tuple[Digest, int]]) -> set[tuple[Digest, int]]:
        """Say which of these blobs are not in the store."""
        return self._writing.missing(blobs)

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob, making it visible first where it is on its way in."""
        with contextlib.suppress(DamagedBlobError):
            return self._store.open(digest)
        self._writing.flush()
        return self._store.open(digest)


def _limit(expected: Expected) -> int:
    return expected.limit if expected.size is None else expected.size


def _also(expected: Expected) -> tuple[str, ...]:
    """Name the algorithm that a blob is checked by, beside the one that names it."""
    kind = expected.checksum[0] if expected.checksum else "sha256"
    return () if kind == "sha256" else (kind,)


def _check(expected: Expected, limit: int, digest: Digest, size: int, others: dict[str, str]) -> None:
    if expected.size is not None and size != expected.size:
        found = f"{size} bytes" if size <= limit else "more"
        raise UpstreamError(f"expected {expected.size} bytes, got {found}")
    if size > limit:
        raise UpstreamError(f"is longer than {limit} bytes")
    if expected.checksum:
        kind, wanted = expected.checksum
        got = others.get(kind, digest)
        if got != wanted:
            raise UpstreamError(f"expected {kind} {wanted}, got {got}")


def _snapshot(repository: Repository, upstream: Upstream, found: Synced, inventory: Inventory, *, now: str) -> Snapshot:
    return Snapshot(
        repository=repository.path,
        tree=found.tree.digest,
        taken=now,
        files=len(found.tree.entries),
        packages=len(inventory.packages),
        size=found.tree.size,
        signed_metadata=found.signed_metadata,
        incomplete=found.incomplete,
        source=upstream.url,
        selected=found.selected,
        trust=found.trust,
        upstream_signed=found.upstream_signed,
    )


def _record(depot: OwnedDepot, before: Snapshot | None, snapshot: Snapshot, inventory: Inventory, *, now: str) -> None:
    old = None if before is None else before.tree
    moved = [Move(snapshot.repository, old, snapshot.tree)] if old != snapshot.tree else []
    with depot.catalog.changing() as db:
        db.names.add_snapshot(snapshot)
        db.search.index(snapshot.tree, inventory)
        facts = {
            "repository": snapshot.repository,
            "tree": snapshot.tree,
            "packages": snapshot.packages,
            "incomplete": len(snapshot.incomplete),
            "moved": moved_facts(moved),
        }
        db.ledger.append("sync", facts, now=now)


def _restate(depot: OwnedDepot, before: Snapshot, now: Snapshot) -> None:
    """Write down what is known anew of a snapshot that stays."""
    known = replace(before, selected=now.selected, trust=now.trust, upstream_signed=now.upstream_signed)
    if known != before:
        with depot.catalog.changing() as db:
            db.names.restate(known)


def _result(snapshot: Snapshot, *, changed: bool) -> SyncResult:
    return SyncResult(
        repository=snapshot.repository,
        changed=changed,
        tree=snapshot.tree,
        files=snapshot.files,
        packages=snapshot.packages,
        size=snapshot.size,
        incomplete=snapshot.incomplete,
        selected=snapshot.selected is not None,
        trust=snapshot.trust,
    )
