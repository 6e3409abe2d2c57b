"""audit: is what this site holds still what it was? The ledger, the trees, every blob.

The ledger's chain must be whole, and it must tell of each bundle that crossed and of the tree each repository stands
at: a ledger whose newest entries were cut off is a whole chain, too.

A damaged blob is set aside into `quarantine/` and withdrawn from what is published: clients get an error, never bad
bytes. Syncing or importing again brings it back. The ledger says so; a clean audit changes nothing.
"""

import threading
from collections.abc import Collection, Iterator

import msgspec

from issmedia.base import files
from issmedia.base.digest import Digest, hash_all
from issmedia.base.errors import DepotError, IssmediaError, Problem
from issmedia.base.events import Advanced, Finished, Report, Started
from issmedia.base.work import each_sized
from issmedia.depot.catalog import Session
from issmedia.depot.catalog_ledger import LedgerEntry
from issmedia.depot.depot import OwnedDepot
from issmedia.depot.publish import Publications
from issmedia.model.move import moves_in
from issmedia.model.tree import blobs_of


class Audited(msgspec.Struct, frozen=True):
    """What an audit looked at, and every problem it found; `quarantined` blobs were set aside."""

    entries: int
    trees: int
    blobs: int
    size: int
    problems: tuple[Problem, ...]
    quarantined: tuple[Digest, ...]


def audit(depot: OwnedDepot, *, now: str, workers: int, report: Report) -> Audited:
    """Check the ledger, re-hash every blob, and check that every tree, pinned key and imported manifest is there."""
    with depot.catalog.reading() as db:
        problems = [*db.ledger.problems(), *_untold(db)]
        entries, _ = db.ledger.head()
        trees, documents = db.names.trees(), _documents(db)
    blobs = list(depot.store.walk())
    bad = _rehash(depot, blobs, workers=workers, report=report)
    if bad:
        _set_aside(depot, bad, now=now)
    problems += [
        Problem(f"store/{digest[:2]}/{digest}", "its bytes do not have this sha256; set aside") for digest in bad
    ]
    problems += _tree_problems(depot, trees)
    here = {digest for digest, _ in blobs}.difference(bad)
    problems += [Problem(what, f"its blob {blob} is not in the store") for what, blob in documents if blob not in here]
    return Audited(entries, len(trees), len(blobs), sum(size for _, size in blobs), tuple(problems), tuple(bad))


def _untold(db: Session) -> Iterator[Problem]:
    """Find what the catalog says and the ledger does not tell."""
    bundles: set[tuple[str, object]] = set()
    stands: dict[str, str] = {}
    for entry in db.ledger.readable():
        bundles.add((entry.event, str(entry.facts.get("bundle"))))
        stands.update(_moves(entry))
    for one in db.history.all():
        if (one.direction, one.id) not in bundles:
            yield Problem(f"bundle {one.id}", f"the ledger has no entry of its {one.direction}")
    for repo in db.names.repositories():
        snapshot = db.names.current(repo.path)
        if snapshot is not None and stands.get(repo.path) != snapshot.tree:
            yield Problem(repo.path, f"the ledger has no entry that brought it to tree {snapshot.tree}")


def _moves(entry: LedgerEntry) -> Iterator[tuple[str, str]]:
    """Yield repository and tree of each name that an entry moved; whoever can write the file can write anything."""
    match entry.event, entry.facts:
        case "sync", {"repository": str(path), "tree": str(tree)}:
            yield path, tree
        case "import" | "rollback", facts:
            yield from ((one.repository, one.new) for one in moves_in(facts) if one.new is not None)


def _documents(db: Session) -> list[tuple[str, Digest]]:
    """List the blobs that no tree names: pinned keys, manifests of imported bundles; each with whose it is."""
    keys = [(f"a pinned key of {repo.path}", key) for repo in db.names.repositories() for key in repo.keys]
    manifests = [(f"the manifest of bundle {one.id}", one.id) for one in db.history.all() if one.direction == "import"]
    return [*keys, *manifests]


def _rehash(depot: OwnedDepot, blobs: Collection[tuple[Digest, int]], *, workers: int, report: Report) -> list[Digest]:
    report(Started("auditing", len(blobs), sum(size for _, size in blobs)))
    bad: list[Digest] = []
    guard = threading.Lock()

    def look(blob: tuple[Digest, int]) -> None:
        digest, size = blob
        if not _is_whole(depot, digest, size):
            with guard:
                bad.append(digest)
        report(Advanced(1, size))

    each_sized(look, blobs, lambda blob: blob[1], workers=workers)
    report(Finished("auditing"))
    return sorted(bad)


def _is_whole(depot: OwnedDepot, digest: Digest, size: int) -> bool:
    try:
        with depot.store.open(digest) as file:
            found, _, _ = hash_all(file.readinto, limit=size)
    except OSError:
        return False
    return found == digest


def _set_aside(depot: OwnedDepot, bad: Collection[Digest], *, now: str) -> None:
    """Withdraw blobs from clients and from the store. The ledger knows first."""
    with depot.catalog.changing() as db:
        db.ledger.append("audit", {"quarantined": list(bad)}, now=now)
    Publications(depot.root, depot.store).withdraw(bad)
    quarantine = depot.root / "quarantine"
    files.make_directory(quarantine, 0o700)
    for digest in bad:
        files.rename(depot.store.path(digest), quarantine / digest)
    files.fsync_directory(quarantine)


def _tree_problems(depot: OwnedDepot, trees: list[Digest]) -> list[Problem]:
    problems: list[Problem] = []
    for digest in trees:
        try:
            tree = depot.store.tree(digest)
        except IssmediaError as cause:
            problems.append(Problem(f"tree {digest}", cause.message))
            continue
        problems += [
            Problem(f"tree {digest}", f"its blob {blob} is not in the store")
            for blob in depot.store.missing(blobs_of([tree]))
        ]
    return problems


def require_clean(audited: Audited) -> None:
    """Raise `DepotError` naming every problem, where there are any."""
    if audited.problems:
        raise DepotError(
            f"the audit found {len(audited.problems):,} problem(s)",
            where=audited.problems[0].where,
            hint="sync or import again brings damaged blobs back; quarantine/ holds what was set aside",
            problems=audited.problems,
        )
