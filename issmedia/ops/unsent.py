"""Which files of a planned bundle no earlier export carried: what a virus scanner has not seen yet."""

from issmedia.base.digest import Digest
from issmedia.bundle.volume import Plan
from issmedia.depot.depot import Depot


def unsent(plan: Plan, depot: Depot) -> list[tuple[str, Digest]]:
    """List (path on the volume, digest) of the payload files that are new, sorted by path, each digest once.

    What this issmedia writes itself (manifest, README, listings, schemas) is not payload. A tree whose listing was
    pruned counts as never sent.
    """
    with depot.catalog.reading() as db:
        trees = db.history.exported_trees(other_than=plan.id)
    sent = {entry.sha256 for tree in trees if depot.store.holds(tree) for entry in depot.store.tree(tree).entries}
    files = [file for volume in plan.volumes for file in volume.files if file.content is None]
    new = {file.sha256: file.path for file in reversed(files) if file.sha256 not in sent}
    return sorted((path, digest) for digest, path in new.items())
