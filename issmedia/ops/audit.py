"""audit: is what this site holds still what it was? The ledger's chain, the trees, every blob.

A damaged blob is set aside into `quarantine/` and withdrawn from what is published: clients get an error, never bad
bytes. Syncing or importing again brings it back.
"""

import threading
from dataclasses import dataclass

from issmedia.base import files
from issmedia.base.digest import Digest, copy_and_hash
from issmedia.base.errors import DepotError, IssmediaError, Problem
from issmedia.base.events import Advanced, Finished, Report, Started
from issmedia.base.work import each_sized
from issmedia.depot.depot import OwnedDepot
from issmedia.depot.publish import Publications
from issmedia.model.tree import blobs_of


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit looked at, and every problem it found; `quarantined` blobs were set aside."""

    entries: int
    trees: int
    blobs: int
    size: int
    problems: tuple[Problem, ...]
    quarantined: tuple[Digest, ...]


def audit(depot: OwnedDepot, *, workers: int, report: Report) -> Audited:
    """Check the ledger's chain, re-hash every blob, and check that every tree is there and whole."""
    with depot.catalog.reading() as db:
        problems = list(db.ledger.problems())
        entries, _ = db.ledger.head()
        trees = db.names.trees()
    blobs, size, bad = _rehash(depot, workers=workers, report=report)
    for digest in bad:
        _set_aside(depot, digest)
        problems.append(Problem(f"store/{digest[:2]}/{digest}", "its bytes do not have this sha256; set aside"))
    problems += _tree_problems(depot, trees)
    return Audited(entries, len(trees), blobs, size, tuple(problems), tuple(bad))


def _rehash(depot: OwnedDepot, *, workers: int, report: Report) -> tuple[int, int, list[Digest]]:
    blobs = list(depot.store.walk())
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
    return len(blobs), sum(size for _, size in blobs), sorted(bad)


def _is_whole(depot: OwnedDepot, digest: Digest, size: int) -> bool:
    try:
        with depot.store.open(digest) as file:
            found, _, _ = copy_and_hash(file.read, len, limit=size)
    except OSError:
        return False
    return found == digest


def _set_aside(depot: OwnedDepot, digest: Digest) -> None:
    Publications(depot.root, depot.store).withdraw(digest)
    quarantine = depot.root / "quarantine"
    files.make_directory(quarantine, 0o700)
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
            for blob, size in blobs_of([tree]).items()
            if not depot.store.has(blob, size)
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
