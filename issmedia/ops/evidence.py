"""evidence: the report that an export leaves beside its bundle, an import in the depot."""

from collections.abc import Callable, Sequence
from pathlib import Path

from issmedia.base import files
from issmedia.base.digest import Digest
from issmedia.base.units import bytes_text, count_text
from issmedia.bundle import layout
from issmedia.depot.catalog_ledger import LedgerEntry
from issmedia.depot.depot import Depot
from issmedia.model import strictjson
from issmedia.model.manifest import Manifest, VerifiedBundle
from issmedia.model.move import moves_in
from issmedia.model.report import Report, Step, Trust
from issmedia.model.state import State, snapshot_state


def leave(report: Report, page: str, directory: Path, sign: Callable[[bytes], bytes] | None) -> None:
    """Write `report.json`, `report.html`, and `report.json.sig` where there is a key; the JSON comes last."""
    document = strictjson.render(report)
    try:
        files.make_directory(directory)
        files.sweep(directory, shared=True)
        files.write_atomic(directory / layout.REPORT_PAGE, page.encode())
        if sign is not None:
            files.write_atomic(directory / layout.REPORT_SIGNATURE, sign(document))
        files.write_atomic(directory / layout.REPORT, document)
    except OSError as cause:
        raise files.system_error(cause, str(directory)) from cause


def imports_of(depot: Depot, bundle: Digest) -> Sequence[LedgerEntry]:
    """Give the ledger's entries of a bundle's imports, oldest first: several where a site went back to it, or on."""
    with depot.catalog.reading() as db:
        return [one for one in db.ledger.readable() if one.event == "import" and one.facts.get("bundle") == bundle]


def directory_of(depot: Depot, manifest: Manifest, bundle: Digest, imports: Sequence[LedgerEntry]) -> Path:
    """Say where the report of the newest of a bundle's imports lies, or will; each has its own."""
    again = f"-{len(imports)}" if len(imports) > 1 else ""
    return depot.root / "reports" / f"{manifest.created[:10]}-{manifest.sequence}-{bundle[:16]}{again}"


def is_left(directory: Path) -> bool:
    """Say whether the report is there, whole."""
    return (directory / layout.REPORT).is_file()


def nothing_before(manifest: Manifest) -> State:
    """Give the state of a site that has nothing yet."""
    return snapshot_state("nothing", manifest.created, {})


def before_import(manifest: Manifest, imports: Sequence[LedgerEntry]) -> State:
    """Give what the bundle's repositories were before the newest of its imports."""
    trees: dict[str, Digest] = {repo.path: repo.tree for repo in manifest.repositories}
    for one in moves_in(imports[-1].facts) if imports else ():
        trees.pop(one.repository, None)
        if one.old is not None:
            trees[one.repository] = one.old
    time = imports[-1].time if imports else manifest.created
    return snapshot_state("before the import", time, trees)


def trust_in_import(depot: Depot, manifest: Manifest) -> tuple[Trust, ...]:
    """Say what came of upstream's signatures: found here for what stands here now, and as the sender claims."""
    with depot.catalog.reading() as db:
        current = [(entry, db.names.current(entry.path)) for entry in manifest.repositories]
    found = [
        Trust(entry.path, now.trust if now is not None and now.tree == entry.tree else None, entry.trust)
        for entry, now in current
    ]
    return tuple(one for one in found if one.here or one.claimed)


def trust_in_export(manifest: Manifest) -> tuple[Trust, ...]:
    """Say what came of upstream's signatures when the repositories were synced here."""
    return tuple(Trust(entry.path, entry.trust, None) for entry in manifest.repositories if entry.trust)


def steps_of_import(bundle: VerifiedBundle, trust: Sequence[Trust]) -> tuple[Step, ...]:
    """Say what each verification step found; an import that got here passed them all."""
    manifest, volumes = bundle.manifest, [volume.entry for volume in bundle.volumes]
    count, size = sum(one.files for one in volumes), sum(one.bytes for one in volumes)
    judged = sum(one.here is not None for one in trust)
    found = (
        ("open", f"{count_text(len(volumes), 'volume')}"),
        ("read", f"manifest of {len(bundle.manifest_bytes):,} bytes, id {bundle.id}"),
        ("signatures", f"{count_text(len(bundle.signers), 'trusted signer')}"),
        ("parse", f"{manifest.format} version {manifest.version}"),
        (
            "current",
            "allowed by name" if bundle.allowed else f"{manifest.chain}, expires {manifest.expires or 'never'}",
        ),
        ("destination", manifest.destination or "any site"),
        ("sums", ", ".join(one.label for one in volumes)),
        ("base", " or ".join(base.name for base in manifest.bases) or "none needed"),
        ("space", "enough"),
        ("trees", f"{count_text(len(manifest.trees), 'listing')}"),
        (
            "files",
            f"{count_text(count, 'file')}, {bytes_text(size)}: those that were lacking are hashed as they were copied",
        ),
        ("complete", "every blob of every tree is in the store"),
        ("upstream", f"signatures of {count_text(judged, 'repository', 'repositories')} judged by keys pinned here"),
    )
    return tuple(Step(number, name, text) for number, (name, text) in enumerate(found, 1))


def steps_of_export(manifest: Manifest) -> tuple[Step, ...]:
    """Say what an export checked: each byte as it was written."""
    content = f"{count_text(manifest.content.blobs, 'blob')}, {bytes_text(manifest.content.bytes)}"
    return (Step(11, "files", f"{content}: hashed as they were written"),)
