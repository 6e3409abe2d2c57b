"""export: snapshots → a signed bundle. The plan is the manifest; writing only executes it."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from issmedia.base import files
from issmedia.base.digest import Digest, digest_of, hash_all
from issmedia.base.errors import DepotError, FormatError, Problem, UntrustedError, UsageError
from issmedia.base.events import Report
from issmedia.bundle import layout
from issmedia.bundle.laying import Describe
from issmedia.bundle.loading import Media
from issmedia.bundle.planning import Draft, draft, finish
from issmedia.bundle.sets import Destination, finish_set, require_no_other, signatures_before, unfinished, write_set
from issmedia.bundle.volume import Plan, PlannedFile
from issmedia.bundle.writer import open_payload
from issmedia.depot.catalog import Session
from issmedia.depot.catalog_history import BundleRecord
from issmedia.depot.depot import Depot, OwnedDepot
from issmedia.depot.keys import stored_keys, verify_signature
from issmedia.depot.store import Store, damaged
from issmedia.model.documents import Repository
from issmedia.model.manifest import Manifest, ProductEntry, SiteName, Stored, Tool
from issmedia.model.medium import Medium
from issmedia.model.recovery import INDEX, block_size, stream_of
from issmedia.model.sshsig import Signature, armored, read_signatures, signed_data
from issmedia.model.state import State
from issmedia.model.target import Header, RepositoryTarget
from issmedia.model.tree import Entry, Tree
from issmedia.model.trust import NAMESPACE_BUNDLE


class ExportOptions(msgspec.Struct, frozen=True):
    """What the operator chose; no `bases` make a full bundle. `created` is a fixed time (SOURCE_DATE_EPOCH) or None for
    the clock's, `expires` gives the moment of expiry for a moment of creation, or None for never. No `media` make one
    volume without limit; `split` lets files that no medium holds be cut, `parity` counts parity volumes.
    """

    what: tuple[str, ...] = ()
    bases: tuple[State, ...] = ()
    destination: str | None = None
    expires: Callable[[str], str | None] = lambda _created: None
    notes: str = ""
    created: str | None = None
    media: tuple[Medium, ...] = ()
    split: bool = True
    parity: int = 0


class Describing(msgspec.Struct, frozen=True):
    """What an export asks of the content type: repodata for parts of a repository, and which blobs are `urgent`.

    That is asked of trees by the names of their repositories.
    """

    describe: Describe
    urgent: Callable[[Mapping[str, Tree]], frozenset[Digest]] = lambda _trees: frozenset()


def plan_export(
    depot: Depot, options: ExportOptions, directory: Path | None, *, describing: Describing, tool: Tool, now: str
) -> Draft:
    """Plan a bundle of the current snapshots; writes nothing, and reads payload only to cut what no medium holds.

    An export that was begun in `directory` keeps its moment of creation, so that it goes on as the same bundle; its
    place in the chain too, where it was recorded before it died. Whoever had the medium may have written what it says:
    the place is compared with the catalog, the moment must lie between what the bundle carries and now.
    """
    if options.parity and not options.media:
        raise UsageError("parity wants media of a known size", hint="name it: --medium dvd --parity 1")
    site = depot.site()
    begun = unfinished(directory, site) if directory is not None else None
    with depot.catalog.reading() as db:
        newest = db.history.newest_export(site.id, options.destination or "")
        chosen = db.names.select(options.what)
        _require_content(db, chosen)
        targets = tuple(_target(db, depot.store, repo, options.bases) for repo in chosen)
    media = Media(options.media, describing.urgent({target.path: target.tree for target in targets}), options.split)

    def drafted(header: Header) -> Draft:
        cut = partial(_cut, depot.store)
        return draft(header, targets, media=media, describe=describing.describe, cut=cut, parity=options.parity)

    if begun and newest and begun.id == newest.id:
        header = _header(newest, site, options, tool=tool, created=newest.created)
        recorded = drafted(replace(header, sequence=newest.sequence, previous=begun.manifest.previous))
        if _is_draft_of(recorded, begun.manifest):
            return recorded
    moment = _moment(begun.manifest if begun else None, newest, targets, now=now)
    return drafted(_header(newest, site, options, tool=tool, created=options.created or moment))


def complete(bundle: Draft, depot: OwnedDepot, directory: Path, *, workers: int, report: Report) -> Plan:
    """Finish the plan: with parity all payload is read for it now, and the parity laid down in `directory`.

    That takes long: `UsageError` before it where the directory holds another bundle that is finished.
    """
    if not bundle.parity:
        return finish(bundle)
    from issmedia.bundle.parity import encode  # its libraries would be loaded by every export

    _require_outside(directory, depot.root)
    require_no_other(directory, partial(_is_draft_of, bundle))
    files.make_directory(directory)
    work = directory / layout.PARITY_WORK
    files.remove_directory(work)
    files.make_directory(work, 0o700)
    streams = [
        stream_of(number, (Entry(file.path, file.sha256, file.size) for file in payload))
        for number, payload in enumerate(bundle.payload(), 1)
    ]
    block = block_size([sum(file.size for file in stream.files) for stream in streams], bundle.parity)
    payload = {file.sha256: file for files_of in bundle.payload() for file in files_of}
    encoded = encode(
        streams,
        lambda digest: open_payload(payload[digest], depot.store),
        m=bundle.parity,
        block=block,
        directory=work,
        workers=workers,
        report=report,
    )
    index = PlannedFile(INDEX, digest_of(encoded.index), len(encoded.index), encoded.index)
    parity = [
        [index, *(PlannedFile(one.path, one.sha256, one.size, file=one.file) for one in volume)]
        for volume in encoded.volumes
    ]
    return finish(bundle, encoded.recovery, parity)


def export_bundle(
    plan: Plan,
    depot: OwnedDepot,
    destination: Destination,
    *,
    sign: Callable[[bytes], bytes],
    signers: Sequence[str],
    now: str,
    workers: int,
    report: Report,
) -> tuple[str, ...]:
    """Write the planned bundle, record it, then finish it. Killed at any point, the same call goes on.

    In this order no whole bundle leaves whose place in the chain the next one could take. Gives the fingerprints of all
    keys that signed it, those of earlier runs first.
    """
    _require_outside(destination.directory, depot.root)
    before = signatures_before(plan, destination)
    own = {key.public.fingerprint for key in stored_keys(depot.keys)} - set(signers)
    kept = _valid_signatures(plan.manifest_bytes, before, own)

    def sign_all(data: bytes) -> bytes:
        return b"".join(armored(one.blob) for one in kept) + sign(data)

    write_set(plan, depot.store, destination, sign=sign_all, workers=workers, report=report)
    signed = (*(one.fingerprint for one in kept), *signers)
    _record(plan, depot, signed, now=now)
    finish_set(plan, destination)
    if plan.manifest.recovery is not None:
        files.remove_directory(destination.directory / layout.PARITY_WORK)
    return signed


def _is_draft_of(bundle: Draft, manifest: Manifest) -> bool:
    """Say whether a manifest is this draft's, whatever parity was added to it."""
    data = _without_parity(manifest, len(bundle.volumes))
    return bool(bundle.parity) == bool(manifest.recovery) and finish(bundle).manifest == data


def _without_parity(manifest: Manifest, volumes: int) -> Manifest:
    """Give a manifest without its parity."""
    return msgspec.structs.replace(manifest, recovery=None, volumes=manifest.volumes[:volumes])


def _cut(store: Store, blob: Stored, sizes: Sequence[int]) -> tuple[Digest, ...]:
    """Hash a blob's parts; `DepotError` where it rotted."""
    whole = hashlib.sha256()
    with store.open(blob.sha256) as file:
        parts = tuple(hash_all(file.readinto, limit=size - 1, hand=whole.update)[0] for size in sizes)
    if (found := Digest(whole.hexdigest())) != blob.sha256:
        raise damaged(blob.sha256, found)
    return parts


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


def _require_content(db: Session, chosen: Sequence[Repository]) -> None:
    """Refuse repositories without a current snapshot, all by name: what is asked for is not left out in silence."""
    empty = [one.path for one in chosen if db.names.current(one.path) is None]
    if not empty:
        return
    errors = [_nothing_to_carry(path, rolled_back=bool(db.names.snapshots(path))) for path in empty]
    if len(errors) == 1:
        raise errors[0]
    named = " ".join([*empty[:3], *("…" for _ in empty[3:4])])
    raise UsageError(
        f"{len(errors):,} repositories have nothing to carry",
        hint=f"issmedia sync {named}; or name the others; or remove them: issmedia repo remove {empty[0]} --yes",
        problems=[Problem(one.where or "", one.message) for one in errors],
    )


def _nothing_to_carry(path: str, *, rolled_back: bool) -> UsageError:
    if rolled_back:
        hint = f"undo that: issmedia rollback {path}; or issmedia sync {path}"
        return UsageError("was rolled back to nothing", where=path, hint=hint)
    hint = f"issmedia sync {path}; or name the others; or issmedia repo remove {path} --yes"
    return UsageError("was never synced", where=path, hint=hint)


def _target(db: Session, store: Store, repository: Repository, bases: Sequence[State]) -> RepositoryTarget:
    snapshot = db.names.current(repository.path)
    assert snapshot is not None
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
        trust=snapshot.trust,
    )


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
