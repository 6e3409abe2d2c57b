"""Blobs that somebody names: files of trees, their listings, pinned keys, manifests and signatures of bundles."""

from collections.abc import Iterator, Set

from issmedia.base.digest import Digest, is_digest
from issmedia.depot.catalog import Session
from issmedia.depot.store import Store


def documents(db: Session) -> Iterator[Digest]:
    """List the blobs that no tree names: pinned keys, manifests and signatures of bundles."""
    for repo in db.names.repositories():
        yield from repo.keys
    for bundle in db.history.all():
        yield bundle.id
    for entry in db.ledger.entries():
        signatures = entry.facts.get("signatures") if entry.event == "import" else None
        if isinstance(signatures, str) and is_digest(signatures):
            yield Digest(signatures)


def named_among(db: Session, store: Store, blobs: Set[Digest]) -> set[Digest]:
    """Say which of these blobs somebody names; reads the listings of all snapshots, one tree in memory at a time."""
    trees = [tree for tree in db.names.trees() if store.holds(tree)]
    found = {*documents(db), *trees}.intersection(blobs)
    for tree in trees:
        found |= {entry.sha256 for entry in store.tree(tree).entries}.intersection(blobs)
    return found
