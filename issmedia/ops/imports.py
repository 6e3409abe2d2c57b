"""import: a `VerifiedBundle` → blobs in the store, then names in one transaction.

Nothing is named before every byte was checked, and upstream's signatures too where keys are pinned here. Blobs of a
refused bundle that were good stay in the store, unnamed, and save the next run their copying. Publishing is
`ops.publish`.
"""

from collections.abc import Mapping, Sequence, Set

import msgspec
from msgspec.structs import replace

from issmedia.base import files
from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import IssmediaError, NotIntactError, Problem
from issmedia.base.events import Note, Report, Warned
from issmedia.base.units import count_text
from issmedia.bundle import layout, payload
from issmedia.bundle.coming import Coming, in_parts, join_parts
from issmedia.bundle.duplicates import files_of, pass_copies
from issmedia.bundle.taking import storing
from issmedia.content.base import Arrived, JudgeArrived, ReadInventory
from issmedia.depot.catalog import Session
from issmedia.depot.depot import Depot, OwnedDepot
from issmedia.depot.named import named_among
from issmedia.depot.store import Store
from issmedia.model.arrivals import Arrival, needed
from issmedia.model.documents import MAX_OPENPGP_KEY, LeftOut, Product, Repository, Snapshot
from issmedia.model.judgement import Outcome, require_good, warnings
from issmedia.model.manifest import Manifest, Missing, RepositoryEntry, VerifiedBundle
from issmedia.model.move import Move, moved_facts
from issmedia.model.tree import Tree, blobs_of

_NOT_WHOLE = {
    "full": "the sender's bundle is not whole; ask for another",
    "delta": "what this delta starts from is damaged here: import its base again, or ask for a full bundle",
}


class Imported(msgspec.Struct, frozen=True):
    """What an import did. `again` says the bundle had been imported before; this run `added` blobs, or parts, and bytes
    to the store, of which parity `mended` so many; `incomplete` is what the bundle itself says it lacks. While volumes
    are still to come, nothing has `moved` and `arrivals` says how far each has come.
    """

    bundle: Digest
    again: bool
    moved: tuple[Move, ...]
    repositories: int
    added: int
    added_bytes: int
    incomplete: tuple[Missing, ...]
    mended: int = 0
    arrivals: tuple[Arrival, ...] = ()

    @property
    def waiting(self) -> tuple[Arrival, ...]:
        """Give the volumes that are still to come."""
        return needed(self.arrivals)


def import_bundle(
    bundle: VerifiedBundle,
    depot: OwnedDepot,
    *,
    inventory: ReadInventory,
    judge: JudgeArrived,
    now: str,
    workers: int,
    report: Report,
) -> Imported:
    """Do steps 9 to 13, then move the names, all or none. Idempotent, and resumed by running it again.

    Of volumes that come one after another each is stored as it comes; the last one that was needed moves the names.
    """
    coming = Coming(depot.pending, depot.store, bundle)
    content = _content_kept(bundle, depot.store, coming)
    result = _expected(bundle, depot)
    if result.again and not result.moved and not content.lacking and _has_documents(bundle, depot.store):
        report(Note(f"{bundle.manifest.chain} was imported before; nothing to do"))
        _end(coming, depot)
        return result
    files.require_space(depot.root, files.space_for([*content.wanted.values(), content.joined(bundle.manifest)]))
    _require_whole(bundle, content, coming)
    copied = _copy(bundle, depot.store, content, coming, workers=workers, report=report)
    result = _with(result, content, copied)
    if copied.arrivals:
        return result
    trust = _judged(bundle, depot, result, content.trees, judge=judge, now=now)
    require_good(trust)
    for one in warnings(trust):
        report(Warned(one.message, one.where))
    with depot.catalog.changing() as db:
        _index(db, content.trees, depot.store, inventory, report)
        if result.moved or not result.again:
            _move_names(db, bundle, result.moved, trust, now=now)
    _end(coming, depot)
    return result


def preview(bundle: VerifiedBundle, depot: Depot) -> Imported:
    """Say what an import would do if all at hand is good; reads listings and parity's index, and changes nothing."""
    content = _content(bundle, depot.store)
    coming = Coming(depot.pending, depot.store, bundle)
    result = _expected(bundle, depot)
    _require_whole(bundle, content, coming)
    brought = {digest for volume in bundle.volumes for digest in volume.index.values()}
    lacking = content.wanted.keys() - brought
    mended = coming.mendable(lacking)
    left = lacking - mended
    return _with(result, content, _Copied(left, len(mended), coming.arrivals(left) if left else ()))


class _Content(msgspec.Struct, frozen=True):
    """A bundle's trees, the bytes of each blob they name, and those of them that the store lacks.

    `wanted` is what the volumes are asked for: the parts of a blob instead of it, where it was split.
    """

    listings: payload.Listings
    sizes: Mapping[Digest, int]
    lacking: Mapping[Digest, int]
    wanted: Mapping[Digest, int]

    @property
    def trees(self) -> Mapping[Digest, Tree]:
        """Give the trees."""
        return self.listings.trees

    def joined(self, manifest: Manifest) -> int:
        """Give the bytes of the blobs that will be joined of parts, which then are here twice for a moment."""
        return sum(one.size for one in manifest.split if one.sha256 in self.lacking)


class _Copied(msgspec.Struct, frozen=True):
    """What came of step 11: what is `left`, how many blobs parity `mended`, and if any are left how far volumes are."""

    left: Set[Digest]
    mended: int
    arrivals: tuple[Arrival, ...]


def _with(result: Imported, content: _Content, copied: _Copied) -> Imported:
    """Say what was added; while something is left, nothing moves."""
    sizes = [size for digest, size in content.wanted.items() if digest not in copied.left]
    moved = () if copied.left else result.moved
    return replace(
        result, moved=moved, added=len(sizes), added_bytes=sum(sizes), mended=copied.mended, arrivals=copied.arrivals
    )


def _content_kept(bundle: VerifiedBundle, store: Store, coming: Coming) -> _Content:
    """Do step 10; where no copy of a listing can be had, remember the volumes: it is asked for as other files are."""
    try:
        return _content(bundle, store)
    except NotIntactError:
        if not all(store.holds(entry.digest) for entry in bundle.manifest.trees):
            coming.begin(anyway=True)
        raise


def _content(bundle: VerifiedBundle, store: Store) -> _Content:
    """Do step 10, and compare with the store: of a blob that was split, the parts are wanted."""
    listings = payload.read_trees(bundle, store)
    blobs = blobs_of(listings.trees.values())
    lacking = store.missing(blobs)
    return _Content(listings, blobs, lacking, store.missing(in_parts(bundle.manifest, lacking)))


def _expected(bundle: VerifiedBundle, depot: Depot) -> Imported:
    """Say which names will move, and nothing added yet; `DepotError` where a name is here in another case."""
    with depot.catalog.reading() as db:
        for entry in bundle.manifest.repositories:
            db.names.require_distinct(entry.path)
        again = db.history.find(bundle.id, "import") is not None
        found = ((entry, db.names.current(entry.path)) for entry in bundle.manifest.repositories)
        moved = tuple(
            Move(entry.path, before.tree if before else None, entry.tree)
            for entry, before in found
            if before is None or before.tree != entry.tree
        )
    count = len(bundle.manifest.repositories)
    return Imported(bundle.id, again, moved, count, 0, 0, bundle.manifest.incomplete)


def _has_documents(bundle: VerifiedBundle, store: Store) -> bool:
    """Say whether the store has the manifest and the listings: an audit may have set one aside."""
    sizes = {entry.digest: entry.size for entry in bundle.manifest.trees}
    return all(store.has(digest, size) for digest, size in {**sizes, bundle.id: len(bundle.manifest_bytes)}.items())


def _require_whole(bundle: VerifiedBundle, content: _Content, coming: Coming) -> None:
    """Step 12, before step 11 since it reads nothing: once all data volumes were seen, something is nowhere."""
    if not coming.all_seen():
        return
    lacking = content.lacking
    absent = payload.absent(
        bundle.manifest, content.trees, coming.placed(), lambda digest, _size: digest not in lacking
    )
    payload.require_none(absent, hint=_NOT_WHOLE[bundle.manifest.kind])


def _copy(
    bundle: VerifiedBundle, store: Store, content: _Content, coming: Coming, *, workers: int, report: Report
) -> _Copied:
    """Step 11: store what is wanted of these volumes, then mend what parity can.

    What the store holds already is not read again.
    """
    sizes, wanted = content.sizes, content.wanted
    everything = payload.blobs_on(bundle, content.listings)
    blobs = [blob for blob in everything if blob.sha256 in wanted or blob.sha256 not in sizes]
    blobs = [blob for blob in blobs if not coming.is_parity(blob)]
    if kept := len(sizes) - len(content.lacking):
        report(Note(f"{kept:,} of {count_text(len(sizes), 'blob')} are in the store already"))
    with store.writing() as writing:
        for tree in content.trees.values():
            writing.add_bytes(tree.encode())
        coming.begin()
        keep = storing(writing, wanted)
        problems = payload.pass_payload(blobs, keep, workers=workers, report=report, phase="importing")
        writing.flush()
        lacking = failed = store.missing(wanted)
        if failed and bundle.copies:
            problems += pass_copies(bundle, content.listings, failed, keep, workers=workers, report=report)
            writing.flush()
            lacking = store.missing(failed)
        coming.mend(lacking, writing, workers=workers, report=report)
        left = store.missing(lacking)
        if not left:
            join_parts(bundle.manifest, store, writing)
            writing.add_bytes(bundle.manifest_bytes)
            writing.add_bytes(bundle.signatures)
    bad = _Bad.of(bundle, problems, content, copied=failed.keys() - lacking.keys())
    found = _outcome(bundle, left, bad, coming, report)
    return _Copied(left.keys(), len(lacking) - len(left), found)


class _Bad(msgspec.Struct, frozen=True):
    """Bad files: of the `payload`; copies of listings, had from `elsewhere`; and what is wrong `apart` from these."""

    payload: list[Problem]
    elsewhere: list[Problem]
    apart: list[Problem]

    @classmethod
    def of(
        cls, bundle: VerifiedBundle, problems: Sequence[Problem], content: _Content, *, copied: Set[Digest]
    ) -> "_Bad":
        """Tell listings, and what was `copied` off a second copy of its volume, from other files of the payload."""
        paths = {layout.tree_path(entry.digest) for entry in bundle.manifest.trees}
        had = {f"{volume.where}: {path}" for volume in (*bundle.volumes, *bundle.copies) for path in paths}
        had.update(files_of(bundle, copied))
        elsewhere = [*content.listings.spoiled, *(one for one in problems if one.where in had)]
        apart = [*bundle.faults, *(one.problem for one in bundle.damaged)]
        return cls([one for one in problems if one.where not in had], elsewhere, apart)


def _outcome(
    bundle: VerifiedBundle, left: Mapping[Digest, int], bad: _Bad, coming: Coming, report: Report
) -> tuple[Arrival, ...]:
    """Say what is still to come; raise where a file was bad and nothing made up for it, else warn of it."""
    if left:
        _warn_elsewhere(bad.elsewhere, report)
        for problem in bad.apart:
            report(Warned(problem.message, problem.where))
        coming.begin(anyway=True)
        found = coming.arrivals(left.keys())
        payload.require_none(bad.payload, hint=_again(found))
        return found
    if bundle.manifest.recovery is None:
        payload.require_none(bad.payload, hint="copy the bundle again; the next import keeps the files that were good")
    _warn_elsewhere([*bad.payload, *bad.elsewhere, *bad.apart], report)
    return ()


def _warn_elsewhere(problems: Sequence[Problem], report: Report) -> None:
    for problem in problems:
        report(Warned(f"is bad there, and was had from elsewhere: {problem.message}", problem.where))


def _again(found: Sequence[Arrival]) -> str:
    """Name the volumes to bring again, or that are still to come."""
    labels = ", ".join(one.volume.label for one in found if one.needed)
    return f"the good files are kept; still needed, of this or another copy: {labels}"


def _end(coming: Coming, depot: OwnedDepot) -> None:
    """Forget that volumes were to come; drop parts and parity, but no blob that somebody names."""
    helpers = coming.helpers()
    if helpers:
        with depot.catalog.reading() as db:
            helpers -= named_among(db, depot.store, helpers)
    coming.ended(helpers)


def _judged(
    bundle: VerifiedBundle,
    depot: Depot,
    result: Imported,
    trees: Mapping[Digest, Tree],
    *,
    judge: JudgeArrived,
    now: str,
) -> dict[str, Outcome]:
    """Step 13: judge upstream's signatures of what moves, where this site asks for it; writes nothing."""
    moving = {one.repository for one in result.moved}
    entries = [entry for entry in bundle.manifest.repositories if entry.path in moving]
    with depot.catalog.reading() as db:
        known = [(entry, found) for entry in entries if (found := db.names.repository(entry.path))]
        arrived = [_arrived(db, depot.store, entry, trees[entry.tree], of=found) for entry, found in known]
    outcomes = {one.repository.path: judge(one, depot.store.open, now) for one in arrived}
    return {path: outcome for path, outcome in outcomes.items() if outcome is not None}


def _arrived(db: Session, store: Store, entry: RepositoryEntry, tree: Tree, *, of: Repository) -> Arrived:
    """Say what came. Only what this site itself judged in an import counts as judged: a sync asks other questions."""
    before = db.names.current(entry.path)
    again = before if before is not None and before.trust and before.bundle and store.holds(before.tree) else None
    return Arrived(
        of,
        tree,
        keys=tuple(store.read(key, MAX_OPENPGP_KEY) for key in of.keys),
        signed_metadata=entry.signed_metadata or db.names.ever_signed(entry.path),
        before=store.tree(again.tree) if again else None,
        judged=again.trust if again else None,
    )


def _index(db: Session, trees: Mapping[Digest, Tree], store: Store, read: ReadInventory, report: Report) -> None:
    """Make new trees searchable, one at a time; metadata that cannot be read cost the search, not the import."""
    for digest, tree in trees.items():
        if db.search.has(digest):
            continue
        try:
            found = read(tree, store.open)
        except IssmediaError as cause:
            report(Warned(f"its packages cannot be searched: {cause.message}", where=cause.where))
        else:
            db.search.index(digest, found)
            for problem in found.unread:
                report(Warned(f"cannot be read, and is carried as it is: {problem.message}", where=problem.where))


def _move_names(
    db: Session, bundle: VerifiedBundle, moved: Sequence[Move], trust: Mapping[str, Outcome], *, now: str
) -> None:
    manifest, moving = bundle.manifest, {one.repository for one in moved}
    for product in manifest.products:
        db.names.add_product(Product(product.label, product.name))
    for entry in manifest.repositories:
        if entry.path in moving:
            _move(db, manifest, entry, bundle.id, trust.get(entry.path), now=now)
    db.history.record(bundle.id, manifest, "import", bundle.signers, now=now)
    db.ledger.append("import", _facts(bundle, moved), now=now)


def _move(
    db: Session, manifest: Manifest, entry: RepositoryEntry, bundle: Digest, trust: Outcome | None, *, now: str
) -> None:
    if db.names.repository(entry.path) is None:
        db.names.add_repository(Repository(entry.product, entry.label, entry.name, content_type=entry.content_type))
    left_out = tuple(LeftOut(one.path, one.reason) for one in manifest.incomplete if one.repository == entry.path)
    snapshot = Snapshot(
        repository=entry.path,
        tree=entry.tree,
        taken=now,
        files=entry.files,
        packages=entry.packages,
        size=entry.all.bytes,
        signed_metadata=entry.signed_metadata,
        incomplete=left_out,
        source=entry.upstream,
        bundle=bundle,
        origin=manifest.site.id,
        origin_taken=entry.taken,
        trust=trust,
    )
    db.names.add_snapshot(snapshot)


def _facts(bundle: VerifiedBundle, moved: Sequence[Move]) -> dict[str, object]:
    return {
        "bundle": bundle.id,
        "site": {"id": bundle.manifest.site.id, "name": bundle.manifest.site.name},
        "destination": bundle.manifest.destination,
        "sequence": bundle.manifest.sequence,
        "signers": list(bundle.signers),
        "signatures": digest_of(bundle.signatures),
        "allowed_rollback": bundle.allowed,
        "moved": moved_facts(moved),
    }
