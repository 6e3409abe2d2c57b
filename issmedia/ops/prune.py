"""prune: old snapshots go, and every blob that nothing needs any more.

What stays whatever the operator chose, since somebody may need it:

- what each repository stands at, and what clients see or saw until the newest switch;
- what each destination said it holds in its newest receipt, and what our own newest receipt says: bases of deltas;
- what was exported last to each destination, and imported last of each chain: bases of deltas too;
- pinned keys; manifests and signatures of bundles;
- what was stored of a bundle of which other volumes are still to come.

The catalog forgets first, in one transaction; then blobs go. Killed between, blobs lie unnamed, and the next prune
removes them, as it removes those that an interrupted sync or import left.
"""

from collections.abc import Collection, Iterator

import msgspec

from issmedia.base import files
from issmedia.base.digest import Digest
from issmedia.base.events import Advanced, Finished, Report, Started
from issmedia.bundle.coming import blobs_arrived
from issmedia.depot.catalog import Session
from issmedia.depot.depot import Depot, OwnedDepot
from issmedia.depot.named import documents
from issmedia.depot.partials import drop_partials
from issmedia.depot.publish import Publications
from issmedia.model.documents import Snapshot


class Keeping(msgspec.Struct, frozen=True):
    """What the operator wants to keep: each repository's `newest` snapshots, and those taken `since` (RFC 3339 UTC)."""

    newest: int = 0
    since: str | None = None


class Spared(msgspec.Struct, frozen=True):
    """A snapshot that is older than was asked for, and why it stays."""

    repository: str
    taken: str
    tree: Digest
    why: str


class Pruned(msgspec.Struct, frozen=True):
    """What a prune removes: snapshots, and `blobs` of together `size` bytes; `spared` stay though they are older."""

    snapshots: tuple[Snapshot, ...]
    spared: tuple[Spared, ...]
    blobs: int
    size: int

    @property
    def nothing(self) -> bool:
        """Say that there is nothing to remove."""
        return not self.snapshots and not self.blobs


class _Plan(msgspec.Struct, frozen=True):
    """Which trees and which blobs stay, and what that removes."""

    trees: Collection[Digest]
    blobs: Collection[Digest]
    result: Pruned


def preview(depot: Depot, keeping: Keeping) -> Pruned:
    """Say what a prune would remove; reads the listings that stay, and changes nothing."""
    return _plan(depot, keeping).result


def prune(depot: OwnedDepot, keeping: Keeping, *, now: str, report: Report) -> Pruned:
    """Remove what nothing needs. Where that is nothing, nothing is changed."""
    plan = _plan(depot, keeping)
    files.sweep(depot.store.root / "incoming")
    drop_partials(depot.store.root / "incoming")
    if plan.result.nothing:
        return plan.result
    facts = {"snapshots": len(plan.result.snapshots), "blobs": plan.result.blobs, "size": plan.result.size}
    with depot.catalog.changing() as db:
        db.trees.keep(plan.trees)
        db.ledger.append("prune", facts, now=now)
    _remove(depot, plan, report)
    return plan.result


def _plan(depot: Depot, keeping: Keeping) -> _Plan:
    with depot.catalog.reading() as db:
        asked = _asked(db, keeping)
        needed = _needed(db, depot)
        trees = asked | needed.keys()
        older = [one for repo in db.names.repositories() for one in db.names.snapshots(repo.path)]
        older = [one for one in older if one.tree not in asked]
        named = trees.intersection(db.names.trees())
        named_apart = set(documents(db))
    blobs = named_apart.union(_blobs(depot, trees, named), blobs_arrived(depot.pending.all(), depot.store))
    unneeded = [size for digest, size in depot.store.walk() if digest not in blobs]
    result = Pruned(
        snapshots=tuple(one for one in older if one.tree not in needed),
        spared=tuple(_spared(one, needed[one.tree]) for one in older if one.tree in needed),
        blobs=len(unneeded),
        size=sum(unneeded),
    )
    return _Plan(trees, blobs, result)


def _asked(db: Session, keeping: Keeping) -> set[Digest]:
    """List the trees that the operator keeps; what a repository stands at is always among them."""
    kept: set[Digest] = set()
    for repo in db.names.repositories():
        snapshots = db.names.snapshots(repo.path)
        kept.update(one.tree for one in snapshots[max(0, len(snapshots) - keeping.newest) :])
        kept.update(one.tree for one in snapshots if keeping.since is not None and one.taken >= keeping.since)
        current = db.names.current(repo.path)
        kept.update([current.tree] if current else [])
    return kept


def _needed(db: Session, depot: Depot) -> dict[Digest, str]:
    """Map each tree that somebody may need → who."""
    needed: dict[Digest, str] = {}
    for tree, why in _needs(db, depot):
        needed.setdefault(tree, why)
    return needed


def _needs(db: Session, depot: Depot) -> Iterator[tuple[Digest, str]]:
    for tree in Publications(depot.root, depot.store).trees():
        yield tree, "clients see it, or did until the newest switch"
    for label in (*(site.label for site in db.sites.all()), None):
        receipt = db.sites.newest_receipt(label)
        for tree in receipt.trees.values() if receipt else ():
            yield tree, f"the newest receipt {f'of {label}' if label else 'of this site'} names it"
    for bundle in (*db.history.newest("export"), *db.history.newest("import")):
        for tree in db.history.trees(bundle.id).values():
            yield tree, f"{bundle.site_name} #{bundle.sequence} is the newest {bundle.direction} of its chain"


def _blobs(depot: Depot, trees: Collection[Digest], named: Collection[Digest]) -> Iterator[Digest]:
    """Yield the listings of trees and what they list, one tree in memory at a time.

    A tree that a snapshot names must have its listing here: without it nobody knows which blobs are its own. One that
    only a receipt or a bundle names need not.
    """
    for tree in trees:
        if tree in named or depot.store.holds(tree):
            yield tree
            yield from (entry.sha256 for entry in depot.store.tree(tree).entries)


def _spared(one: Snapshot, why: str) -> Spared:
    return Spared(one.repository, one.taken, one.tree, why)


def _remove(depot: OwnedDepot, plan: _Plan, report: Report) -> None:
    report(Started("pruning", plan.result.blobs, plan.result.size))
    for digest, size in depot.store.walk():
        if digest not in plan.blobs:
            depot.store.remove(digest)
            report(Advanced(1, size))
    report(Finished("pruning"))
