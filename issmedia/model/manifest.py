"""The bundle manifest, and the two states of a bundle that was read: unverified, verified.

The manifest's bytes are signed, then parsed; never re-serialised to check. The bundle's id is the SHA-256
of these bytes. Field by field: `docs/format.md`.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Annotated, Literal, Protocol

import msgspec

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError, Problem
from issmedia.model import strictjson
from issmedia.model.documents import LeftOut
from issmedia.model.judgement import Outcome, outcome_fault
from issmedia.model.names import is_label, shown
from issmedia.model.recovery import Recovery, check_recovery
from issmedia.model.signers import is_moment
from issmedia.model.tree import DigestField, SizeField

FORMAT = "issmedia-bundle"
VERSION = 1
MAX_MANIFEST = 32 << 20
MAX_SIGNATURES = 64 << 10

Label = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", max_length=128)]
Text = Annotated[str, msgspec.Meta(max_length=4096)]
Time = Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", max_length=20)]
SiteId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$", max_length=32)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=strictjson.MAX_INTEGER)]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all parts of a signed document share: frozen, and no field but the known ones."""


class SiteName(Document, frozen=True):
    """Who made the bundle: `id` is 32 hex digits made at `issmedia init`, `name` is for people."""

    id: SiteId
    name: Text


class Tool(Document, frozen=True):
    """The program that wrote the bundle."""

    name: Text
    version: Text


class Count(Document, frozen=True):
    """Blobs, each counted once, and their bytes."""

    blobs: SizeField
    bytes: SizeField


class ProductEntry(Document, frozen=True):
    """A product that the bundle's repositories belong to."""

    label: Label
    name: Text


class RepositoryEntry(Document, frozen=True, omit_defaults=True):
    """One repository's state. `all`, `added`, `removed` count blobs against the base trees.

    `upstream` has no credentials; `keys` are blobs, information only: keys on a medium are never trust. `trust` is what
    checking upstream's signatures gave, as the exporting site says; it is left out where nobody looked.
    """

    product: Label
    label: Label
    name: Text
    content_type: Literal["yum"]
    upstream: Text | None
    taken: Time
    signed_metadata: bool
    keys: tuple[DigestField, ...]
    tree: DigestField
    base_trees: tuple[DigestField, ...]
    files: SizeField
    packages: SizeField
    all: Count
    added: Count
    removed: Count
    trust: Outcome | None = None

    @property
    def path(self) -> str:
        """Write `PRODUCT/REPO`."""
        return f"{self.product}/{self.label}"


class Stored(Document, frozen=True):
    """A file on the volume: its own digest and bytes."""

    sha256: DigestField
    size: SizeField


class TreeEntry(Document, frozen=True):
    """A listing: `digest` and `size` of its canonical bytes, `stored` as it lies on the volume.

    `dictionary` is the tree whose bytes are the raw zstd dictionary, or None.
    """

    digest: DigestField
    size: SizeField
    stored: Stored
    dictionary: DigestField | None


class VolumeEntry(Document, frozen=True):
    """One volume: `sums` is the SHA-256 of its `SHA256SUMS`; `files` and `bytes` are what that lists."""

    number: Positive
    label: Text
    medium: Text
    capacity: SizeField | None
    files: SizeField
    bytes: SizeField
    sums: DigestField


class SplitEntry(Document, frozen=True):
    """A blob that exceeds what its medium holds in one file: it lies as `parts`, in order, at `layout.part_path`."""

    sha256: DigestField
    size: SizeField
    parts: Annotated[tuple[Stored, ...], msgspec.Meta(min_length=2, max_length=999)]


class LedgerHead(Document, frozen=True):
    """The newest entry of a site's ledger: its number and its hash."""

    number: SizeField
    hash: DigestField


class BaseEntry(Document, frozen=True):
    """A state that a delta starts from; what it consists of are the repositories' `base_trees`.

    `id` is the bundle's or the receipt's, `sequence` the bundle's place in its chain. `site` is the id of the site that
    wrote a receipt, `ledger` how far its ledger had come: where it lacks that entry now, it was restored from a backup.
    """

    kind: Literal["bundle", "receipt", "snapshot"]
    name: Text
    created: Time
    id: DigestField | None
    sequence: Positive | None
    site: SiteId | None
    ledger: LedgerHead | None


class Missing(Document, frozen=True):
    """What was asked for and is not here: in which repository, at which path, and why."""

    repository: Text
    path: Text
    reason: Text


class Manifest(Document, frozen=True):
    """The signed document that names everything in the bundle."""

    format: Literal["issmedia-bundle"]
    version: Literal[1]
    site: SiteName
    destination: Label | None
    sequence: Positive
    previous: DigestField | None
    created: Time
    expires: Time | None
    tool: Tool
    notes: Text
    kind: Literal["full", "delta"]
    products: tuple[ProductEntry, ...]
    repositories: tuple[RepositoryEntry, ...]
    views: tuple[()]
    environments: tuple[()]
    trees: tuple[TreeEntry, ...]
    content: Count
    volumes: Annotated[tuple[VolumeEntry, ...], msgspec.Meta(min_length=1)]
    recovery: Recovery | None
    incomplete: tuple[Missing, ...]
    bases: tuple[BaseEntry, ...]
    split: tuple[SplitEntry, ...]

    @property
    def chain(self) -> str:
        """Name the bundle within its chain, for people: `hq #7` or `hq → lab #7`."""
        return chain_name(self.site.name, self.destination, self.sequence)


def chain_name(site: str, destination: str | None, sequence: int) -> str:
    """Name a bundle within its chain, for people: `hq #7` or `hq → lab #7`."""
    to = f" → {destination}" if destination else ""
    return f"{site}{to} #{sequence}"


def parse_manifest(data: bytes) -> Manifest:
    """Parse a manifest strictly; `FormatError` names the field, or the unknown format or version."""
    plain = strictjson.parse_plain(data, where="manifest.json")
    strictjson.require_head(plain, FORMAT, VERSION, where="manifest.json")
    manifest = strictjson.convert(plain, Manifest, where="manifest.json")
    _check_references(manifest)
    return manifest


def left_out(repository: str, items: tuple[LeftOut, ...]) -> tuple[Missing, ...]:
    """Turn what a snapshot lacks into what the manifest says of it."""
    return tuple(Missing(repository, item.path[:4096], item.reason[:4096]) for item in items)


class VolumeSource(Protocol):
    """Where a volume's bytes come from: opened beneath its root, never through a link; `device` tells drives apart."""

    @property
    def device(self) -> int:
        """Give the number of the device it is read from."""

    def open(self, path: str) -> AbstractContextManager["OpenedFile"]:
        """Open a file for reading, or raise `NotIntactError` naming it."""

    def stray(self, known: frozenset[str]) -> Iterator[str]:
        """Find what lies on the volume and is not `known`; these are never opened."""


class OpenedFile(Protocol):
    """A regular file that is open; `identity` tells hard links of one file (device, inode)."""

    identity: tuple[int, int]
    size: int

    def readinto(self, buffer: memoryview, /) -> int:
        """Read on into a buffer; 0 at the end."""

    def pread(self, offset: int, size: int, /) -> bytes:
        """Read up to `size` bytes from `offset` on, wherever `readinto` is; empty past the end."""


class UnverifiedVolume(msgspec.Struct, frozen=True):
    """A volume as found; `where` is for people. Nothing of it but manifest and signatures was read.

    `manifest` is its own copy, None where that could not be read; a volume belongs to a bundle by its `SHA256SUMS`.
    """

    where: str
    source: VolumeSource
    manifest: bytes | None


class UnverifiedBundle(msgspec.Struct, frozen=True):
    """Bytes from a medium that nobody vouched for yet; nothing in them is believed.

    `others` are the manifests and signatures that lie on the volumes too, and differ: of another bundle, or damaged.
    """

    manifest: bytes
    signatures: bytes
    volumes: tuple[UnverifiedVolume, ...]
    others: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def id(self) -> Digest:
        """Name the bundle: the SHA-256 of the manifest's bytes."""
        return digest_of(self.manifest)


class VerifiedVolume(msgspec.Struct, frozen=True):
    """A volume whose `SHA256SUMS` the signed manifest lists; `index` maps path → digest."""

    entry: VolumeEntry
    where: str
    index: Mapping[str, Digest]
    sums: bytes
    source: VolumeSource


class DamagedVolume(msgspec.Struct, frozen=True):
    """A volume that cannot say which it is, since its `SHA256SUMS` is damaged; parity may still use what lies there."""

    where: str
    source: VolumeSource
    problem: Problem


class VerifiedBundle(msgspec.Struct, frozen=True):
    """A bundle past steps 1 to 8 of `docs/format.md`; only `ops/verify.py` makes one.

    `volumes` are those at hand, each once, which need not be all; `copies` are second ones of these. `damaged` ones are
    only where the bundle has parity. `faults` are copies of the manifest on good volumes that are damaged.
    """

    id: Digest
    manifest: Manifest
    manifest_bytes: bytes
    signatures: bytes
    signers: tuple[str, ...]
    volumes: tuple[VerifiedVolume, ...]
    allowed: bool = False
    damaged: tuple[DamagedVolume, ...] = ()
    faults: tuple[Problem, ...] = ()
    copies: tuple[VerifiedVolume, ...] = ()

    @property
    def missing(self) -> tuple[VolumeEntry, ...]:
        """Give the volumes that are not at hand, in order."""
        here = {volume.entry.number for volume in self.volumes}
        return tuple(entry for entry in self.manifest.volumes if entry.number not in here)


def _check_references(manifest: Manifest) -> None:
    """Refuse a manifest whose parts do not fit together."""
    trees = [tree.digest for tree in manifest.trees]
    repositories = [repo.path.casefold() for repo in manifest.repositories]
    products = [product.label.casefold() for product in manifest.products]
    numbers = [volume.number for volume in manifest.volumes]
    for name, values in (
        ("trees", trees),
        ("repositories", repositories),
        ("products", products),
    ):
        if len(set(values)) != len(values):
            raise FormatError("an entry stands twice", where=f"manifest.json: {name}")
    if numbers != list(range(1, len(numbers) + 1)):
        raise FormatError("volumes are not numbered 1, 2, 3, …", where="manifest.json: volumes")
    _check_times(manifest)
    known, listed = {product.label for product in manifest.products}, set(trees)
    for label in (*known, *([manifest.destination] if manifest.destination else [])):
        if not is_label(label):
            raise FormatError("is not a label", where=f"manifest.json: {shown(label)}")
    for repo in manifest.repositories:
        if repo.tree not in listed:
            raise FormatError(f"no tree {repo.tree}", where=f"manifest.json: repositories: {repo.path}")
        if repo.product not in known or not is_label(repo.label):
            raise FormatError("no such product", where=f"manifest.json: repositories: {repo.path}")
        if repo.trust is not None and (fault := outcome_fault(repo.trust)):
            raise FormatError(fault, where=f"manifest.json: repositories: {repo.path}: trust")
    _check_delta(manifest)
    _check_split(manifest)
    if manifest.recovery is not None:
        check_recovery(manifest.recovery, len(manifest.volumes))


def _check_split(manifest: Manifest) -> None:
    """Refuse parts that do not make up what they are parts of."""
    digests = [one.sha256 for one in manifest.split]
    if len(set(digests)) != len(digests):
        raise FormatError("an entry stands twice", where="manifest.json: split")
    for one in manifest.split:
        if sum(part.size for part in one.parts) != one.size or not all(part.size for part in one.parts):
            raise FormatError("its parts are not as long as it is", where=f"manifest.json: split: {one.sha256}")


def _check_delta(manifest: Manifest) -> None:
    """Refuse a full bundle that names bases, and a listing packed against what is no base tree."""
    based = any(repo.base_trees for repo in manifest.repositories)
    if (manifest.kind == "delta") != bool(based and manifest.bases):
        raise FormatError(f"a {manifest.kind} bundle whose parts say otherwise", where="manifest.json: kind")
    usable = {(repo.tree, repo.base_trees[0]) for repo in manifest.repositories if len(repo.base_trees) == 1}
    for tree in manifest.trees:
        if tree.dictionary is not None and (tree.digest, tree.dictionary) not in usable:
            raise FormatError("its dictionary is no base tree", where=f"manifest.json: trees: {tree.digest}")


def _check_times(manifest: Manifest) -> None:
    taken = (repo.taken for repo in manifest.repositories)
    for moment in (manifest.created, manifest.expires, *taken, *(base.created for base in manifest.bases)):
        if moment is not None and not is_moment(moment):
            raise FormatError(f"no such time: {moment}", where="manifest.json")
