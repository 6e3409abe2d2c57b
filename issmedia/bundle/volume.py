"""What lies on a volume, decided before a byte of payload is read: the plan, which is the manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError, UsageError
from issmedia.bundle import layout
from issmedia.bundle.listing import pack
from issmedia.bundle.readme import readme
from issmedia.model import plan, strictjson
from issmedia.model.clientfile import ClientRepository, file_url, render_client_file
from issmedia.model.manifest import (
    Count,
    Manifest,
    RepositoryEntry,
    Stored,
    TreeEntry,
    VolumeEntry,
    left_out,
    parse_manifest,
)
from issmedia.model.names import CLIENT_FILE, collisions
from issmedia.model.schemas import DOCUMENTS, schema
from issmedia.model.target import Header, RepositoryTarget
from issmedia.model.tree import Entry, Tree

MOUNT = "/mnt/issmedia"
"""Where `issmedia.repo` on a volume expects the volume to be mounted."""


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
    """Plan a bundle on one volume: what any base of a target lacks, so all of a target that has none.

    Pure: the same targets and header give the same bytes.
    """
    if not targets:
        raise UsageError("nothing to export", hint="issmedia sync first; issmedia repo list shows what is here")
    parts = [_part(target) for target in sorted(targets, key=lambda target: target.path)]
    if not any(part.target.bases for part in parts):
        header = replace(header, bases=())
    repositories = tuple(part.entry for part in parts)
    listings = {part.entry.tree: part.listing for part in parts}
    trees = tuple(_tree_entry(listing) for _, listing in sorted(listings.items()))
    files = [
        *_payload_files(parts),
        *(_made(layout.tree_path(digest), listing.stored) for digest, listing in listings.items()),
        *_made_files(header, parts),
    ]
    volume = _volume(header, files, medium)
    products = {part.target.product.label: part.target.product for part in parts}
    manifest = Manifest(
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
        kind="delta" if header.bases else "full",
        products=tuple(products[label] for label in sorted(products)),
        repositories=repositories,
        views=(),
        environments=(),
        trees=trees,
        content=plan.count(plan.joined(part.needed for part in parts)),
        volumes=(volume.entry,),
        recovery=None,
        incomplete=tuple(item for part in parts for item in left_out(part.target.path, part.target.incomplete)),
        bases=header.bases,
    )
    return Plan(manifest, _encoded(manifest), (volume,))


@dataclass(frozen=True, slots=True)
class _Listing:
    """A tree's canonical bytes as they travel: `stored`, packed against `dictionary` where that is smaller."""

    digest: Digest
    size: int
    stored: bytes
    dictionary: Digest | None


@dataclass(frozen=True, slots=True)
class _Part:
    """One repository's share of a bundle: the blobs that travel for it, its listing, its entry in the manifest."""

    target: RepositoryTarget
    needed: Mapping[Digest, int]
    listing: _Listing
    entry: RepositoryEntry

    @property
    def whole(self) -> bool:
        """Say whether all of the repository lies on the volume."""
        return not self.target.bases


def _part(target: RepositoryTarget) -> _Part:
    everything = plan.needed(target.tree)
    needed = plan.needed(target.tree, target.bases) if target.bases else everything
    encoded = (base.encode() for base in target.bases)
    bases = {digest_of(data): data for data in encoded}
    listing = _listing(target.tree, bases)
    entry = _repository_entry(target, listing.digest, tuple(sorted(bases)), plan.count(everything), plan.count(needed))
    return _Part(target, needed, listing, entry)


def _encoded(manifest: Manifest) -> bytes:
    """Write the manifest; what the other side would refuse to read is refused here."""
    data = strictjson.render(manifest)
    try:
        parse_manifest(data)
    except FormatError as cause:
        raise UsageError(f"the manifest would not be readable: {cause.message}", where=cause.where) from cause
    return data


def _payload_files(parts: Sequence[_Part]) -> list[PlannedFile]:
    files = [
        PlannedFile(_place(part, entry), entry.sha256, entry.size)
        for part in parts
        for entry in part.target.tree.entries
        if entry.sha256 in part.needed
    ]
    files += [
        PlannedFile(layout.blob_path(key.sha256), key.sha256, key.size) for part in parts for key in part.target.keys
    ]
    return list({file.path: file for file in files}.values())


def _place(part: _Part, entry: Entry) -> str:
    """Say where a file lies: upstream's metadata speak of a whole repository, so they lie apart from a part of it."""
    if part.whole or not layout.is_metadata(entry.path):
        return layout.repo_path(part.target.path, entry.path)
    return layout.blob_path(entry.sha256)


def _listing(tree: Tree, bases: Mapping[Digest, bytes]) -> _Listing:
    """Pack a listing: as a patch where there is one base, unless it is smaller by itself.

    Digests do not compress, so no listing by itself comes near an eighth of its bytes: below, none is tried.
    """
    data = tree.encode()
    digest = digest_of(data)
    if len(bases) == 1:
        ((dictionary, base),) = bases.items()
        patch = _Listing(digest, len(data), pack(data, base), dictionary)
        if len(patch.stored) < len(data) // 8:
            return patch
        return min(patch, _Listing(digest, len(data), pack(data), None), key=lambda one: len(one.stored))
    return _Listing(digest, len(data), pack(data), None)


def _tree_entry(listing: _Listing) -> TreeEntry:
    stored = Stored(digest_of(listing.stored), len(listing.stored))
    return TreeEntry(listing.digest, listing.size, stored, listing.dictionary)


def _made_files(header: Header, parts: Sequence[_Part]) -> list[PlannedFile]:
    made = [
        _made(layout.README, readme(header, [part.entry for part in parts], MOUNT)),
        _made(CLIENT_FILE, _client_file([part.entry for part in parts if part.whole])),
    ]
    return made + [_made(f"schemas/{name}", schema(name)) for name in sorted(DOCUMENTS)]


def _made(path: str, content: bytes) -> PlannedFile:
    return PlannedFile(path, digest_of(content), len(content), content)


def _client_file(repositories: Sequence[RepositoryEntry]) -> bytes:
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


def _repository_entry(
    target: RepositoryTarget, tree: Digest, base_trees: tuple[Digest, ...], everything: Count, added: Count
) -> RepositoryEntry:
    return RepositoryEntry(
        product=target.product.label,
        label=target.label,
        name=target.name,
        content_type="yum",
        upstream=target.upstream,
        taken=target.taken,
        signed_metadata=target.signed_metadata,
        keys=tuple(key.sha256 for key in target.keys),
        tree=tree,
        base_trees=base_trees,
        files=len(target.tree.entries),
        packages=target.packages,
        all=everything,
        added=added,
        removed=plan.count(plan.gone(target.tree, target.bases)),
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
