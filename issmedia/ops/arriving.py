"""Unfinished imports: how far the volumes of each bundle have come."""

import msgspec

from issmedia.base.digest import Digest
from issmedia.bundle.coming import in_parts, seen
from issmedia.bundle.places import parse_places
from issmedia.depot.depot import Depot
from issmedia.depot.pending import Begun
from issmedia.depot.store import Store
from issmedia.model.arrivals import Arrival, arrivals, needed
from issmedia.model.manifest import Manifest, parse_manifest
from issmedia.model.tree import blobs_of


class PendingBundle(msgspec.Struct, frozen=True):
    """A bundle of which some volumes were imported."""

    bundle: Digest
    chain: str
    arrivals: tuple[Arrival, ...]

    @property
    def waiting(self) -> tuple[Arrival, ...]:
        """Give the volumes that are still to come."""
        return needed(self.arrivals)


def pending(depot: Depot) -> list[PendingBundle]:
    """List unfinished imports; reads their listings in the store, and changes nothing."""
    return [_pending(depot.store, begun) for begun in depot.pending.all()]


def _pending(store: Store, begun: Begun) -> PendingBundle:
    manifest = parse_manifest(begun.manifest)
    found = arrivals(manifest, _lacking(store, manifest), seen(manifest, begun), parse_places(begun.places))
    return PendingBundle(begun.id, manifest.chain, found)


def _lacking(store: Store, manifest: Manifest) -> set[Digest]:
    """Give the blobs that are not here; a listing that is gone itself is one of them."""
    trees = {entry.digest: entry for entry in manifest.trees}
    held = [store.tree(digest) for digest in trees if store.holds(digest)]
    lacking = store.missing(in_parts(manifest, store.missing(blobs_of(held))))
    return {*lacking, *(entry.stored.sha256 for digest, entry in trees.items() if not store.holds(digest))}
