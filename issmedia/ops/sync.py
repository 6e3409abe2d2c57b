"""sync: upstream → snapshot. The content type reads upstream, the store keeps the bytes, the catalog the names."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import DamagedBlobError, UpstreamError
from issmedia.base.events import Report, Warned
from issmedia.content.base import ContentType, Expected, Previous, Stream, Synced, Upstream
from issmedia.depot.depot import OwnedDepot
from issmedia.depot.store import Store, Writing
from issmedia.model.documents import LeftOut, Repository, Snapshot
from issmedia.model.move import Move, moved_facts
from issmedia.model.package import Inventory
from issmedia.model.tree import tree_of


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync did. `changed` says a new snapshot was made; `incomplete` is what could not be had."""

    repository: str
    changed: bool
    tree: Digest
    files: int
    packages: int
    size: int
    incomplete: tuple[LeftOut, ...]


def sync(
    repository: Repository, upstream: Upstream, depot: OwnedDepot, content: ContentType, *, now: str, report: Report
) -> SyncResult:
    """Bring upstream's state into the depot, bytes unchanged. What fails leaves the snapshot before as current."""
    with depot.catalog.reading() as db:
        before = db.names.current(repository.path)
    previous = None if before is None else _previous(before, depot.store)
    with depot.store.writing() as writing:
        found = content.sync(upstream, StoreSink(depot.store, writing), previous, report)
        listing = found.tree.encode()
        if not depot.store.has(digest_of(listing), len(listing)):
            writing.add_bytes(listing)
    for item in found.incomplete:
        report(Warned(item.reason, where=f"{repository.path}: {item.path}"))
    if found.unchanged and before is not None:
        return _result(before, changed=False)
    inventory = found.inventory or content.inventory(found.tree, depot.store.open)
    snapshot = _snapshot(repository, upstream, found, inventory, now=now)
    changed = before is None or (before.tree, before.incomplete) != (snapshot.tree, snapshot.incomplete)
    if changed:
        _record(depot, before, snapshot, inventory, now=now)
    return _result(snapshot, changed=changed)


def _previous(before: Snapshot, store: Store) -> Previous:
    """Give the tree before. One whose blobs an audit set aside lacks something; one whose listing is gone, all."""
    try:
        tree = store.tree(before.tree)
    except DamagedBlobError:
        return Previous(tree_of(()), incomplete=True, signed_metadata=before.signed_metadata)
    whole = not before.incomplete and all(store.has(entry.sha256, entry.size) for entry in tree.entries)
    return Previous(tree, incomplete=not whole, signed_metadata=before.signed_metadata)


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
        kind = expected.checksum[0] if expected.checksum else "sha256"
        limit = expected.limit if expected.size is None else expected.size
        return self._writing.add(
            stream.read,
            limit=limit,
            check=lambda digest, size, others: _check(expected, limit, digest, size, others),
            also=() if kind == "sha256" else (kind,),
            clone=stream.fileno,
        )

    def holds(self, digest: Digest, size: int) -> bool:
        """Say whether the blob is in the store."""
        return self._store.has(digest, size)

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob, making it visible first where it is on its way in."""
        with contextlib.suppress(DamagedBlobError):
            return self._store.open(digest)
        self._writing.flush()
        return self._store.open(digest)


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


def _result(snapshot: Snapshot, *, changed: bool) -> SyncResult:
    return SyncResult(
        repository=snapshot.repository,
        changed=changed,
        tree=snapshot.tree,
        files=snapshot.files,
        packages=snapshot.packages,
        size=snapshot.size,
        incomplete=snapshot.incomplete,
    )
