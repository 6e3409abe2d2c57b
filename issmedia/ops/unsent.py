"""Which files of a planned bundle no earlier export carried: what a virus scanner has not seen yet."""

from issmedia.base.digest import Digest
from issmedia.bundle.volume import Plan
from issmedia.depot.catalog import Session
from issmedia.depot.depot import Depot


def unsent(plan: Plan, depot: Depot) -> list[tuple[str, Digest]]:
    """List (path on the volume, digest) of the payload files that are new, sorted by path, each digest once.

    What this issmedia writes itself (manifest, README, listings, schemas) is not payload. Where it cannot be told
    that a file was sent, it is new: of a tree whose listing was pruned, and of a delta from a state that was never
    sent. Pinned OpenPGP keys are new each time: what is recorded of an export does not name them.
    """
    with depot.catalog.reading() as db:
        trees = _sent(db, other_than=plan.id)
    sent = {entry.sha256 for tree in trees if depot.store.holds(tree) for entry in depot.store.tree(tree).entries}
    files = [file for volume in plan.volumes for file in volume.files if file.is_payload]
    new = {file.sha256: file.path for file in reversed(files) if file.sha256 not in sent}
    return sorted((path, digest) for digest, path in new.items())


def _sent(db: Session, *, other_than: Digest) -> set[Digest]:
    """Give the trees of which exports carried every file: those that went whole, or as what one of these lacked."""
    sent: set[Digest] = set()
    for entry in db.ledger.readable():
        if entry.event == "export" and entry.facts.get("bundle") != other_than:
            bases = entry.facts.get("base_trees", {})
            trees = entry.facts.get("trees", {}).items()
            sent |= {tree for path, tree in trees if path not in bases or not sent.isdisjoint(bases[path])}
    return sent
