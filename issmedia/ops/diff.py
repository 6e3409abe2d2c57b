"""diff: what changed between two states, and what must be carried from the one to the other.

Packages, advisories, groups and module streams come from the catalog. Where a tree is not in it, both sides are read
from their listings, which tell packages by file names alone. What cannot be told is named, and never taken for nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import BaseMissingError, FormatError, NotIntactError
from issmedia.base.units import bytes_text
from issmedia.bundle import layout
from issmedia.bundle.declared import claimed
from issmedia.bundle.listing import read_listing
from issmedia.depot.catalog import Session
from issmedia.depot.depot import Depot
from issmedia.depot.store import Store
from issmedia.model.builds import PackageBuild, builds_of_listing
from issmedia.model.diff import Diff, RepositoryDiff, RepositoryState, carried, diff_repository
from issmedia.model.manifest import (
    Count,
    Manifest,
    TreeEntry,
    UnverifiedBundle,
    UnverifiedVolume,
    parse_manifest,
)
from issmedia.model.package import Advisory
from issmedia.model.state import State, bundle_state
from issmedia.model.tree import Tree

MAX_UNVERIFIED = 512 << 20
"""The bytes of listings, all together, that are read of a bundle nobody vouches for: some four million files."""

Part = Literal["packages", "epochs", "advisories", "groups", "modules", "carry"]
"""What may be unknown of a repository; unknown epochs were taken as 0."""


class Side(msgspec.Struct, frozen=True):
    """One state to compare; of a bundle that was opened, who signed it, and the listings that this site does not hold.

    `verified` says that enough trusted keys signed it; what this site recorded itself is.
    """

    state: State
    verified: bool = True
    signers: tuple[str, ...] = ()
    listed: Mapping[Digest, Tree] = msgspec.field(default_factory=dict)


class Compared(msgspec.Struct, frozen=True):
    """What changed between two sides; `unknown` maps a repository → what could not be told of it."""

    old: Side
    new: Side
    diff: Diff
    unknown: Mapping[str, tuple[Part, ...]]


def opened(
    bundle: UnverifiedBundle, signers: Sequence[str], store: Store, known: Mapping[Digest, Tree] | None = None
) -> Side:
    """Read the state of a bundle off one of its volumes: no `signers` mean that nobody vouches for it.

    Listings that the store holds are not read. One that is a patch needs its base listing, in the store or in `known`;
    else it is a `BaseMissingError`. A damaged one is a `FormatError` or `NotIntactError`.
    """
    manifest = parse_manifest(bundle.manifest)
    if not signers:
        _require_small(manifest)
    volume = bundle.volumes[0]
    _require_own_sums(volume, manifest)
    listed: dict[Digest, Tree] = {}
    for entry in manifest.trees:
        if not store.holds(entry.digest):
            base = _base(entry, store, known or {}) if entry.dictionary else None
            listed[entry.digest] = read_listing(volume, entry, base)
    return Side(bundle_state(bundle.id, manifest), bool(signers), tuple(signers), listed)


def diff(depot: Depot, old: Side, new: Side) -> Compared:
    """Compare two sides, one repository after another.

    A snapshot is compared with its repository on the other side, two snapshots with each other. Of a repository that
    the new side does not name, only that is said.
    """
    listed = {**old.listed, **new.listed}
    found: list[RepositoryDiff] = []
    unknown: dict[str, tuple[Part, ...]] = {}
    with depot.catalog.reading() as db:
        for repository, before, after in _pairs(old.state, new.state):
            if after is None or before == after:
                found.append(RepositoryDiff(repository, before, after))
                continue
            pair = _Pair(db, depot.store, listed, before, after)
            found.append(pair.compare(repository))
            unknown[repository] = pair.unknown
    unknown = {repository: parts for repository, parts in unknown.items() if parts}
    return Compared(old, new, Diff(old.state.name, new.state.name, tuple(found)), unknown)


def _require_small(manifest: Manifest) -> None:
    size = sum(max(one.size, one.stored.size) for one in manifest.trees)
    if size > MAX_UNVERIFIED:
        raise FormatError(
            f"listings of {bytes_text(size)} in a bundle that is not verified, "
            f"at most {bytes_text(MAX_UNVERIFIED)} are read",
            where=layout.MANIFEST,
            hint="issmedia keys trust its signer, when you know the key",
        )


def _require_own_sums(volume: UnverifiedVolume, manifest: Manifest) -> None:
    if claimed(volume, manifest) is None:
        raise NotIntactError(
            "is not one of this manifest's",
            where=f"{volume.where}: {layout.SUMS}",
            hint="this volume is damaged, or belongs to another bundle",
        )


def _base(entry: TreeEntry, store: Store, known: Mapping[Digest, Tree]) -> bytes:
    """Give the bytes of the listing that this one is a patch to."""
    dictionary = entry.dictionary
    assert dictionary is not None
    if dictionary in known:
        return known[dictionary].encode()
    if not store.holds(dictionary):
        raise BaseMissingError(
            f"is told as what changed since tree {dictionary}, which is not here",
            where=layout.tree_path(entry.digest),
            hint="give the bundle it starts from as the first of the two, or import that before",
        )
    return store.listing(dictionary)


def _pairs(old: State, new: State) -> Iterator[tuple[str, Digest | None, Digest | None]]:
    """Say which trees are compared: PRODUCT/REPO with its tree in either state, None where it has none."""
    before, after = _one_repository(old), _one_repository(new)
    if before and after:
        yield after, old.trees[before], new.trees[after]
        return
    only = before or after
    for path in [only] if only else sorted({*old.trees, *new.trees}):
        yield path, old.trees.get(path), new.trees.get(path)


def _one_repository(state: State) -> str | None:
    """Give the repository that a snapshot is of; other states are of several."""
    path = state.name.partition("@")[0]
    return path if state.entry.kind == "snapshot" and path in state.trees else None


class _Pair:
    """Two trees of one repository, and what is known of them: in the catalog, in the store, on the bundles."""

    def __init__(
        self, db: Session, store: Store, listed: Mapping[Digest, Tree], before: Digest | None, after: Digest
    ) -> None:
        self._db = db
        self._before = before
        self._after = after
        digests = [after] if before is None else [before, after]
        self._trees = {digest: _tree(digest, store, listed) for digest in digests}
        self._details = {digest: db.search.details(digest) for digest in digests}
        self._indexed = all(db.search.has(digest) for digest in digests)
        self._whole = None not in self._trees.values()
        self._detailed = None not in self._details.values()

    @property
    def unknown(self) -> tuple[Part, ...]:
        """List what could not be told."""
        parts: list[Part] = []
        if not self._indexed:
            parts += ["epochs" if self._whole else "packages", "advisories"]
        parts += [] if self._detailed else ["groups", "modules"]
        parts += [] if self._whole else ["carry"]
        return tuple(parts)

    def compare(self, repository: str) -> RepositoryDiff:
        """Compare what is known of both; what is known of one only stays out."""
        old = None if self._before is None else self._state(self._before)
        trees = [None if one is None else self._trees[one] for one in (self._before, self._after)]
        carry = carried(*trees) if self._whole else Count(0, 0)
        return diff_repository(repository, old, self._state(self._after), carry=carry)

    def _state(self, tree: Digest) -> RepositoryState:
        details = self._details[tree] if self._detailed else None
        return RepositoryState(
            tree,
            self._packages(tree),
            self._advisories(tree),
            details.groups if details else (),
            details.modules if details else (),
        )

    def _packages(self, digest: Digest) -> Sequence[PackageBuild]:
        if self._indexed:
            return self._db.search.builds(digest)
        tree = self._trees[digest]
        return builds_of_listing(tree) if self._whole and tree else ()

    def _advisories(self, tree: Digest) -> Sequence[Advisory]:
        return self._db.search.advisories_of(tree) if self._indexed else ()


def _tree(digest: Digest, store: Store, listed: Mapping[Digest, Tree]) -> Tree | None:
    if digest in listed:
        return listed[digest]
    return store.tree(digest) if store.holds(digest) else None
