"""What lies on a volume, decided before a byte of payload is read: the plan, which is the manifest."""

from dataclasses import dataclass

import zstandard

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError, UsageError
from issmedia.bundle import layout
from issmedia.bundle.readme import readme
from issmedia.model import plan, strictjson
from issmedia.model.clientfile import ClientRepository, file_url, render_client_file
from issmedia.model.manifest import (
    Count,
    Manifest,
    ProductEntry,
    RepositoryEntry,
    RepositoryTarget,
    SiteName,
    Stored,
    Tool,
    TreeEntry,
    VolumeEntry,
    left_out,
    parse_manifest,
)
from issmedia.model.names import CLIENT_FILE, collisions
from issmedia.model.schemas import DOCUMENTS, schema

MOUNT = "/mnt/issmedia"
"""Where `issmedia.repo` on a volume expects the volume to be mounted."""

_LEVEL = 9


@dataclass(frozen=True, slots=True)
class Header:
    """What the manifest says of the bundle besides its content."""

    site: SiteName
    destination: str | None
    sequence: int
    previous: Digest | None
    created: str
    expires: str | None
    notes: str
    tool: Tool


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file of a volume; `content` holds the bytes of what is made here, None means the store's blob."""

    path: str
    sha256: Digest
    size: int
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class PlannedVolume:
    """A volume's files, sorted by path, `SHA256SUMS` not among them."""

    entry: VolumeEntry
    files: tuple[PlannedFile, ...]
    sums: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """The unsigned manifest, its bytes, and the volumes they name."""

    manifest: Manifest
    manifest_bytes: bytes
    volumes: tuple[PlannedVolume, ...]

    @property
    def id(self) -> Digest:
        """Name the bundle."""
        return digest_of(self.manifest_bytes)


def plan_bundle(header: Header, targets: tuple[RepositoryTarget, ...], *, medium: str = "directory") -> Plan:
    """Plan a full bundle on one volume. Pure: the same targets and header give the same bytes."""
    if not targets:
        raise UsageError("nothing to export", hint="issmedia sync first; issmedia repo list shows what is here")
    targets = tuple(sorted(targets, key=lambda target: target.path))
    listings = {target.tree.digest: _listing(target) for target in targets}
    repositories = tuple(map(_repository_entry, targets))
    files = [*_tree_files(targets), *(one for _, one in listings.values()), *_made_files(header, repositories)]
    volume = _volume(header, files, medium)
    trees = tuple(entry for entry, _ in sorted(listings.values(), key=lambda pair: pair[0].digest))
    manifest = _manifest(header, targets, repositories, trees, volume.entry)
    return Plan(manifest, _encoded(manifest), (volume,))


def _encoded(manifest: Manifest) -> bytes:
    """Write the manifest; what the other side would refuse to read is refused here."""
    data = strictjson.render(manifest)
    try:
        parse_manifest(data)
    except FormatError as cause:
        raise UsageError(f"the manifest would not be readable: {cause.message}", where=cause.where) from cause
    return data


def _tree_files(targets: tuple[RepositoryTarget, ...]) -> list[PlannedFile]:
    files = [
        PlannedFile(layout.repo_path(target.path, entry.path), entry.sha256, entry.size)
        for target in targets
        for entry in target.tree.entries
    ]
    keys = {key.sha256: key.size for target in targets for key in target.keys}
    return files + [PlannedFile(layout.blob_path(digest), digest, size) for digest, size in sorted(keys.items())]


def _listing(target: RepositoryTarget) -> tuple[TreeEntry, PlannedFile]:
    data = target.tree.encode()
    stored = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
    digest = digest_of(data)
    file = _made(layout.tree_path(digest), stored)
    return TreeEntry(digest, len(data), Stored(file.sha256, file.size), None), file


def _made_files(header: Header, repositories: tuple[RepositoryEntry, ...]) -> list[PlannedFile]:
    made = [
        _made(layout.README, readme(header.site.name, header.sequence, header.created, repositories, MOUNT)),
        _made(CLIENT_FILE, _client_file(repositories)),
    ]
    return made + [_made(f"schemas/{name}", schema(name)) for name in sorted(DOCUMENTS)]


def _made(path: str, content: bytes) -> PlannedFile:
    return PlannedFile(path, digest_of(content), len(content), content)


def _client_file(repositories: tuple[RepositoryEntry, ...]) -> bytes:
    comment = (
        f"For dnf, with this volume mounted at {MOUNT};\nmounted elsewhere, change baseurl. Check it first: README.txt."
    )
    sections = [
        ClientRepository(
            repo.path, repo.name, file_url(f"{MOUNT}/{layout.repo_path(repo.path, '')}"), repo.signed_metadata
        )
        for repo in repositories
    ]
    return render_client_file(sections, comment=comment)


def _repository_entry(target: RepositoryTarget) -> RepositoryEntry:
    everything = plan.count(plan.needed([target.tree]))
    return RepositoryEntry(
        product=target.product.label,
        label=target.label,
        name=target.name,
        content_type="yum",
        upstream=target.upstream,
        taken=target.taken,
        signed_metadata=target.signed_metadata,
        keys=tuple(key.sha256 for key in target.keys),
        tree=target.tree.digest,
        base_trees=(),
        files=len(target.tree.entries),
        packages=target.packages,
        all=everything,
        added=everything,
        removed=Count(0, 0),
    )


def _volume(header: Header, files: list[PlannedFile], medium: str) -> PlannedVolume:
    ordered = tuple(sorted(files, key=lambda file: file.path))
    if problems := list(collisions(file.path for file in ordered)):
        raise UsageError("paths on the volume collide", problems=problems)
    sums = layout.encode_sums((file.path, file.sha256) for file in ordered)
    mark = digest_of(f"{header.site.id} {header.destination or ''} {header.sequence} {header.created}".encode())
    entry = VolumeEntry(
        number=1,
        label=f"ISSM_{mark[:8].upper()}_V01OF01",
        medium=medium,
        capacity=None,
        files=len(ordered),
        bytes=sum(file.size for file in ordered),
        sums=digest_of(sums),
    )
    return PlannedVolume(entry, ordered, sums)


def _manifest(
    header: Header,
    targets: tuple[RepositoryTarget, ...],
    repositories: tuple[RepositoryEntry, ...],
    trees: tuple[TreeEntry, ...],
    volume: VolumeEntry,
) -> Manifest:
    products = {target.product.label: ProductEntry(target.product.label, target.product.name) for target in targets}
    return Manifest(
        format="issmedia-bundle",
        version=1,
        site=header.site,
        destination=header.destination,
        sequence=header.sequence,
        previous=header.previous,
        created=header.created,
        expires=header.expires,
        tool=header.tool,
        notes=header.notes,
        kind="full",
        products=tuple(products[label] for label in sorted(products)),
        repositories=repositories,
        views=(),
        environments=(),
        trees=trees,
        content=plan.count(plan.needed(target.tree for target in targets)),
        volumes=(volume,),
        recovery=None,
        incomplete=tuple(item for target in targets for item in left_out(target.path, target.incomplete)),
    )
