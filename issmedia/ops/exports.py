"""export: snapshots → a signed bundle. The plan is the manifest; writing only executes it."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from issmedia.base.digest import Digest
from issmedia.base.errors import DepotError, UsageError
from issmedia.base.events import Note, Report
from issmedia.bundle.volume import Header, Plan, plan_bundle
from issmedia.bundle.writer import unfinished, write_volume
from issmedia.depot.catalog import Session
from issmedia.depot.depot import Depot, OwnedDepot
from issmedia.depot.store import Store
from issmedia.model.documents import Repository
from issmedia.model.manifest import Manifest, ProductEntry, RepositoryTarget, SiteName, Stored, Tool


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the operator chose. `created` is a fixed time (SOURCE_DATE_EPOCH) or None for the clock's."""

    what: tuple[str, ...] = ()
    destination: str | None = None
    expires: str | None = None
    notes: str = ""
    created: str | None = None


def plan_export(depot: Depot, options: ExportOptions, directory: Path | None, *, tool: Tool, now: str) -> Plan:
    """Plan a full bundle of the current snapshots; reads no payload and writes nothing.

    An export that was begun in `directory` keeps its moment of creation, so that it goes on as the same bundle.
    """
    site = depot.site()
    begun = _begun(site, directory)
    created = options.created or (begun.created if begun else now)
    with depot.catalog.reading() as db:
        header = _header(db, site, options, tool=tool, created=created)
        targets = tuple(_target(db, depot.store, repo) for repo in db.names.select(options.what))
    return plan_bundle(header, targets)


def export_bundle(
    plan: Plan,
    depot: OwnedDepot,
    directory: Path,
    *,
    sign: Callable[[bytes], bytes],
    signers: Sequence[str],
    now: str,
    workers: int,
    report: Report,
) -> Manifest:
    """Write the planned bundle and record it. Killed at any point, the same call goes on with what is whole."""
    _require_outside(directory, depot.root)
    if _begun(plan.manifest.site, directory):
        report(Note("going on with an unfinished export"))
    write_volume(plan, plan.volumes[0], depot.store, directory, sign=sign, workers=workers, report=report)
    manifest = plan.manifest
    with depot.catalog.changing() as db:
        db.history.record(plan.id, manifest, "export", tuple(signers), now=now)
        facts = {
            "bundle": plan.id,
            "destination": manifest.destination,
            "sequence": manifest.sequence,
            "signers": list(signers),
            "trees": {repo.path: repo.tree for repo in manifest.repositories},
        }
        db.ledger.append("export", facts, now=now)
    return manifest


def _begun(site: SiteName, directory: Path | None) -> Manifest | None:
    manifest = unfinished(directory) if directory is not None else None
    if manifest is not None and manifest.site != site:
        raise UsageError(
            f"holds a bundle of another site: {manifest.chain}",
            where=str(directory),
            hint="export into an empty or new directory",
        )
    return manifest


def _header(db: Session, site: SiteName, options: ExportOptions, *, tool: Tool, created: str) -> Header:
    newest = db.history.newest_export(site.id, options.destination or "")
    return Header(
        site=site,
        destination=options.destination,
        sequence=newest.sequence + 1 if newest else 1,
        previous=newest.id if newest else None,
        created=created,
        expires=options.expires,
        notes=options.notes,
        tool=tool,
    )


def _target(db: Session, store: Store, repository: Repository) -> RepositoryTarget:
    snapshot = db.names.current(repository.path)
    if snapshot is None:
        raise UsageError("was never synced", where=repository.path, hint=f"issmedia sync {repository.path}")
    product = next(one for one in db.names.products() if one.label == repository.product)
    return RepositoryTarget(
        product=ProductEntry(product.label, product.name),
        label=repository.label,
        name=repository.name,
        upstream=snapshot.source,
        taken=snapshot.taken,
        signed_metadata=snapshot.signed_metadata,
        keys=tuple(_key(store, digest) for digest in repository.keys),
        tree=store.tree(snapshot.tree),
        packages=snapshot.packages,
        incomplete=snapshot.incomplete,
    )


def _key(store: Store, digest: Digest) -> Stored:
    return Stored(digest, os.lstat(store.path(digest)).st_size)


def _require_outside(directory: Path, depot: Path) -> None:
    inside = directory.resolve().is_relative_to(depot.resolve())
    if inside or depot.resolve().is_relative_to(directory.resolve()):
        raise DepotError(
            "lies in the depot, or the depot in it",
            where=str(directory),
            hint="export to a medium or another directory",
        )
