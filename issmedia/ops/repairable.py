"""verify --repairable: can what is at hand still be imported, damaged and incomplete as it may be. Writes nothing."""

from collections.abc import Set

import msgspec

from issmedia.base.digest import Digest, Read
from issmedia.base.errors import NotIntactError, Problem
from issmedia.base.events import Report
from issmedia.bundle import payload
from issmedia.bundle.coming import in_parts, media_of
from issmedia.bundle.duplicates import pass_copies
from issmedia.bundle.recovery import assess
from issmedia.bundle.strays import strays
from issmedia.bundle.taking import hash_only
from issmedia.depot.store import Store
from issmedia.model.manifest import VerifiedBundle, VolumeEntry
from issmedia.model.names import shown
from issmedia.model.tree import blobs_of


class Repairable(msgspec.Struct, frozen=True):
    """What is wrong with the volumes at hand, and what of the bundle could not be had: `lost` files, each named.

    `strays` are files that no `SHA256SUMS` declares, where these are to be refused.
    """

    bundle: VerifiedBundle
    bad: tuple[Problem, ...]
    missing: tuple[VolumeEntry, ...]
    lost: tuple[Problem, ...]
    strays: tuple[Problem, ...] = ()

    @property
    def importable(self) -> bool:
        """Say whether an import of these volumes would come to its end."""
        return not self.lost and not self.strays


def repairable(bundle: VerifiedBundle, store: Store, *, workers: int, report: Report, strict: bool) -> Repairable:
    """Read all that is at hand, and where something lacks, the parity too; the store counts for what it has.

    Undeclared files are warned of; `strict` refuses them, as an import that is strict does.
    """
    undeclared = strays(bundle, strict=strict, report=report)
    listings = payload.read_trees(bundle, store)
    blobs = payload.blobs_on(bundle, listings)
    good: set[Digest] = set()

    def keep(expected: Digest, size: int, read: Read) -> tuple[Digest, int]:
        found, count = hash_only(expected, size, read)
        if found == expected:
            good.add(found)
        return found, count

    bad = payload.pass_payload(blobs, keep, workers=workers, report=report, phase="verifying")
    bad += [*listings.spoiled, *bundle.faults, *(one.problem for one in bundle.damaged)]
    wanted = store.missing(in_parts(bundle.manifest, store.missing(blobs_of(listings.trees.values()))))
    bad += pass_copies(bundle, listings, wanted.keys() - good, keep, workers=workers, report=report)
    left = wanted.keys() - good
    lost = _lost(bundle, listings, left, store, workers=workers, report=report) if left else ()
    return Repairable(bundle, tuple(bad), bundle.missing, lost, tuple(undeclared))


def _lost(
    bundle: VerifiedBundle,
    listings: payload.Listings,
    left: Set[Digest],
    store: Store,
    *,
    workers: int,
    report: Report,
) -> tuple[Problem, ...]:
    """Name what parity cannot give: files on their volumes, or without an index files of the repositories."""
    manifest = bundle.manifest
    if manifest.recovery is None:
        return _absent(bundle, listings, left)
    try:
        found = assess(manifest.recovery, media_of(bundle, store), workers=workers, report=report)
    except NotIntactError as cause:
        return (Problem(cause.where or "", cause.message), *_absent(bundle, listings, left))
    labels = {entry.number: entry.label for entry in manifest.volumes}
    lost = [Problem(f"{labels[one.volume]}: {shown(one.path)}", "can neither be read nor mended") for one in found.lost]
    return (*lost, *_absent(bundle, listings, left - found.protected))


def _absent(bundle: VerifiedBundle, listings: payload.Listings, left: Set[Digest]) -> tuple[Problem, ...]:
    split = {one.sha256 for one in bundle.manifest.split if any(part.sha256 in left for part in one.parts)}
    gone = left | split
    return tuple(
        Problem(f"{repo.path}: {shown(entry.path)}", "is on none of the volumes at hand, or damaged there")
        for repo in bundle.manifest.repositories
        for entry in listings.trees[repo.tree].entries
        if entry.sha256 in gone
    )
