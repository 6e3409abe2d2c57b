"""One repository's share of a bundle: the blobs that travel for it, its listing, its entry in the manifest."""

from collections.abc import Iterator, Mapping

import msgspec

from issmedia.base.digest import Digest, digest_of
from issmedia.bundle import layout
from issmedia.bundle.listing import pack
from issmedia.model import plan
from issmedia.model.manifest import Count, RepositoryEntry, Stored, TreeEntry
from issmedia.model.target import RepositoryTarget
from issmedia.model.tree import Entry, Tree


class Listing(msgspec.Struct, frozen=True):
    """A tree's canonical bytes as they travel: `stored`, packed against `dictionary` where that is smaller."""

    digest: Digest
    size: int
    stored: bytes
    dictionary: Digest | None

    def entry(self) -> TreeEntry:
        """Name it in the manifest."""
        stored = Stored(digest_of(self.stored), len(self.stored))
        return TreeEntry(self.digest, self.size, stored, self.dictionary)


class Carried(msgspec.Struct, frozen=True):
    """A repository on its way: `needed` are its blobs that travel, with their sizes in bytes."""

    target: RepositoryTarget
    needed: Mapping[Digest, int]
    listing: Listing
    entry: RepositoryEntry

    @property
    def path(self) -> str:
        """Write `PRODUCT/REPO`."""
        return self.entry.path

    def travelling(self) -> Iterator[Entry]:
        """Give the files of the tree whose blobs travel, in the tree's order."""
        return (entry for entry in self.target.tree.entries if entry.sha256 in self.needed)

    def repodata_bytes(self) -> int:
        """Sum upstream's metadata: about what a description of all its packages takes."""
        return sum(entry.size for entry in self.target.tree.entries if layout.is_metadata(entry.path))


def carried(target: RepositoryTarget) -> Carried:
    """Say what of a repository must travel: all that some base lacks, so everything where there is none."""
    everything = plan.needed(target.tree)
    needed = plan.needed(target.tree, target.bases) if target.bases else everything
    encoded = (base.encode() for base in target.bases)
    bases = {digest_of(data): data for data in encoded}
    listing = _listing(target.tree, bases)
    entry = _repository_entry(target, listing.digest, tuple(sorted(bases)), plan.count(everything), plan.count(needed))
    return Carried(target, needed, listing, entry)


def _listing(tree: Tree, bases: Mapping[Digest, bytes]) -> Listing:
    """Pack a listing: as a patch where there is one base, unless it is smaller by itself.

    Digests do not compress, so no listing by itself comes near an eighth of its bytes: below, none is tried.
    """
    data = tree.encode()
    digest = digest_of(data)
    if len(bases) == 1:
        ((dictionary, base),) = bases.items()
        patch = Listing(digest, len(data), pack(data, base), dictionary)
        if len(patch.stored) < len(data) // 8:
            return patch
        return min(patch, Listing(digest, len(data), pack(data), None), key=lambda one: len(one.stored))
    return Listing(digest, len(data), pack(data), None)


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
        trust=target.trust,
    )
