"""export: snapshots → a signed bundle. The plan is the manifest; writing only executes it."""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from issmedia.base.digest import Digest
from issmedia.base.errors import DepotError, FormatError, UntrustedError, UsageError
from issmedia.base.events import Report
from issmedia.bundle.volume import Plan, plan_bundle
from issmedia.bundle.writer import finish_volume, signatures_before, unfinished, write_volume
from issmedia.depot.catalog import Session
from issmedia.depot.catalog_history import BundleRecord
from issmedia.depot.depot import Depot, OwnedDepot
from issmedia.depot.keys import stored_keys, verify_signature
from issmedia.depot.store import Store
from issmedia.model.documents import Repository
from issmedia.model.manifest import Manifest, ProductEntry, SiteName, Stored, Tool
from issmedia.model.sshsig import Signature, armored, read_signatures, signed_data
from issmedia.model.state import State
from issmedia.model.target import Header, RepositoryTarget
from issmedia.model.tree import Tree
from issmedia.model.trust import NAMESPACE_BUNDLE


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the operator chose; no `bases` make a full bundle. `created` is a fixed time (SOURCE_DATE_EPOCH) or None for
    the clock's, `expires` gives the moment of expiry for a moment of creation, or None for never.
    """

    what: tuple[str, ...] = ()
    bases: tuple[State, ...] = ()
    destination: str | None = None
    expires: Callable[[str], str | None] = lambda _created: None
    notes: str = ""
    created: str | None = None


def plan_export(depot: Depot, options: ExportOptions, directory: Path | None, *, tool: Tool, now: str) -> Plan:
    """Plan a bundle of the current snapshots; reads no payload and writes nothing.

    An export that was begun in `directory` keeps its moment of creation, so that it goes on as the same bundle; its
    place in the chain too, where it was recorded before it died. Whoever had the medium may have written what it says:
    the place is compared with the catalog, the moment must lie between what the bundle carries and now.
    """
    site = depot.site()
    begun = unfinished(directory, site) if directory is not None else None
    with depot.catalog.reading() as db:
        newest = db.history.newest_export(site.id, options.destination or "")
        targets = tuple(_target(db, depot.store, repo, options.bases) for repo in db.names.select(options.what))
    if begun and newest and begun.sequence == newest.sequence:
        header = _header(newest, site, options, tool=tool, created=newest.created)
        recorded = plan_bundle(replace(header, sequence=newest.sequence, previous=begun.previous), targets)
        if recorded.id == newest.id:
            return recorded
    created = options.created or _moment(begun, newest, targets, now=now)
    return plan_bundle(_header(newest, site, options, tool=tool, created=created), targets)


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
    """Write the planned bundle, record it, then finish it. Killed at any point, the same call goes on.

    In this order no whole bundle leaves whose place in the chain the next one could take.
    """
    _require_outside(directory, depot.root)
    before = signatures_before(plan, directory)
    own = {key.public.fingerprint for key in stored_keys(depot.keys)} - set(signers)
    kept = _valid_signatures(plan.manifest_bytes, before or b"", own)

    def sign_all(data: bytes) -> bytes:
        return b"".join(armored(one.blob) for one in kept) + sign(data)

    write_volume(plan, plan.volumes[0], depot.store, directory, sign=sign_all, workers=workers, report=report)
    _record(plan, depot, [*(one.fingerprint for one in kept), *signers], now=now)
    finish_volume(directory)
    return plan.manifest


def _valid_signatures(data: bytes, signatures: bytes, fingerprints: set[str]) -> list[Signature]:
    """Give the valid signatures of these keys among an earlier run's, so that several people can sign in turn."""
    found: list[Signature] = []
    with contextlib.suppress(FormatError):
        for one in read_signatures(signatures):
            if isinstance(one, Signature) and one.fingerprint in fingerprints and _is_valid(one, data):
                fingerprints = fingerprints - {one.fingerprint}
                found.append(one)
    return found


def _is_valid(signature: Signature, data: bytes) -> bool:
    message = signed_data(NAMESPACE_BUNDLE, data, signature.hash_name)
    try:
        verify_signature(signature.key, signature, message, namespace=NAMESPACE_BUNDLE)
    except (UntrustedError, FormatError):
        return False
    return True


def _moment(
    begun: Manifest | None, newest: BundleRecord | None, targets: Sequence[RepositoryTarget], *, now: str
) -> str:
    """Give the moment an unfinished export was begun where that can be true, else `now`."""
    earliest = max([newest.created if newest else "", *(target.taken for target in targets)])
    return begun.created if begun and earliest <= begun.created <= now else now


def _record(plan: Plan, depot: OwnedDepot, signers: Sequence[str], *, now: str) -> None:
    """Record the bundle, or who signed it further."""
    manifest = plan.manifest
    facts = {
        "bundle": plan.id,
        "destination": manifest.destination,
        "sequence": manifest.sequence,
        "signers": list(signers),
        "trees": {repo.path: repo.tree for repo in manifest.repositories},
        "base_trees": {repo.path: list(repo.base_trees) for repo in manifest.repositories if repo.base_trees},
    }
    with depot.catalog.changing() as db:
        before = db.history.find(plan.id, "export")
        if before is None or before.signers != tuple(signers):
            db.history.record(plan.id, manifest, "export", tuple(signers), now=now)
            db.ledger.append("export", facts, now=now)


def _header(newest: BundleRecord | None, site: SiteName, options: ExportOptions, *, tool: Tool, created: str) -> Header:
    return Header(
        site=site,
        destination=options.destination,
        sequence=newest.sequence + 1 if newest else 1,
        previous=newest.id if newest else None,
        created=created,
        expires=options.expires(created),
        notes=options.notes,
        tool=tool,
        bases=tuple(base.entry for base in options.bases),
    )


def _target(db: Session, store: Store, repository: Repository, bases: Sequence[State]) -> RepositoryTarget:
    snapshot = db.names.current(repository.path)
    if snapshot is None:
        raise _nothing_to_carry(repository.path, rolled_back=bool(db.names.snapshots(repository.path)))
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
        bases=_base_trees(store, repository.path, bases),
    )


def _nothing_to_carry(path: str, *, rolled_back: bool) -> UsageError:
    if rolled_back:
        hint = f"undo that: issmedia rollback {path}; or issmedia sync {path}"
        return UsageError("was rolled back to nothing", where=path, hint=hint)
    return UsageError("was never synced", where=path, hint=f"issmedia sync {path}")


def _base_trees(store: Store, repository: str, bases: Sequence[State]) -> tuple[Tree, ...]:
    """Read a repository's base trees; none where a base lacks it, or its listing is not here: it travels whole."""
    digests = {base.trees.get(repository) for base in bases}
    known = [digest for digest in digests if digest is not None and store.holds(digest)]
    return tuple(store.tree(digest) for digest in sorted(known)) if len(known) == len(digests) else ()


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
