"""The payload of a verified bundle, passed once: steps 10 to 12 of `docs/format.md`, clause "Verification".

Verifying and importing are this one passage; they differ in where the bytes go.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence, Set

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, NotIntactError, Problem
from issmedia.base.events import Advanced, Finished, Report, Started
from issmedia.base.work import each_apart, each_sized
from issmedia.bundle import layout
from issmedia.bundle.listing import read_listing
from issmedia.bundle.taking import Keep, hash_only, take_file
from issmedia.depot.store import Store
from issmedia.model import plan
from issmedia.model.manifest import Manifest, RepositoryEntry, TreeEntry, VerifiedBundle, VerifiedVolume
from issmedia.model.names import shown
from issmedia.model.tree import Tree, blobs_of


class Blob(msgspec.Struct, frozen=True):
    """A digest and all the places on volumes where it lies; `size` in bytes, None where only a cap is known: `most`."""

    sha256: Digest
    size: int | None
    places: tuple[tuple[VerifiedVolume, str], ...]
    most: int = layout.SMALL


class Listings(msgspec.Struct, frozen=True):
    """What step 10 found: the `trees` that are good, what is wrong with each of the others, and which files it read.

    `spoiled` are copies of a listing that another copy stood in for.
    """

    trees: Mapping[Digest, Tree]
    faults: tuple[FormatError | NotIntactError, ...]
    spoiled: tuple[Problem, ...]
    read: Set[tuple[int, str]]


def read_trees(bundle: VerifiedBundle, store: Store) -> Listings:
    """Step 10, or the first error of `try_trees`."""
    found = try_trees(bundle, store)
    if found.faults:
        raise found.faults[0]
    return found


def try_trees(bundle: VerifiedBundle, store: Store) -> Listings:
    """Step 10: each listing's stored digest, its decompression under the signed size, its own digest, form, counts.

    `store` holds what a delta starts from. A listing lies on every volume, and the first good copy serves.
    """
    trees: dict[Digest, Tree] = {}
    faults: list[FormatError | NotIntactError] = []
    spoiled: list[Problem] = []
    read: set[tuple[int, str]] = set()
    for entry in bundle.manifest.trees:
        bad: list[FormatError | NotIntactError] = []
        for volume, path in _listing(bundle, entry):
            read.add((volume.entry.number, path))
            try:
                trees[entry.digest] = read_listing(volume, entry, _dictionary(entry, store))
                break
            except (FormatError, NotIntactError) as error:
                bad.append(error)
        if entry.digest in trees:
            spoiled += [Problem(error.where or "", error.message) for error in bad]
        else:
            faults.append(bad[0] if bad else _nowhere(entry))
    for repo in bundle.manifest.repositories:
        tree = trees.get(repo.tree)
        if tree is not None and not _counts_fit(repo, tree, store):
            faults.append(FormatError("the manifest's counts are not those of the listing", where=repo.path))
    return Listings(trees, tuple(faults), tuple(spoiled), read)


def sizes_of(manifest: Manifest, trees: Iterable[Tree]) -> dict[Digest, int]:
    """Give the bytes of each blob that trees name, and of the parts of those that were split."""
    parts = {part.sha256: part.size for one in manifest.split for part in one.parts}
    return {**parts, **blobs_of(trees)}


def blobs_on(bundle: VerifiedBundle, listings: Listings) -> list[Blob]:
    """List every blob that the volumes declare, save the listings that step 10 read, in the order of their paths.

    Where a tree could not be had, blobs of unknown size may be as long as all files of their volume together.
    """
    sizes = sizes_of(bundle.manifest, listings.trees.values())
    sizes.update((entry.stored.sha256, entry.stored.size) for entry in bundle.manifest.trees)
    whole = len(listings.trees) == len(bundle.manifest.trees)
    places: dict[Digest, list[tuple[VerifiedVolume, str]]] = {}
    for volume in bundle.volumes:
        for path, digest in volume.index.items():
            if (volume.entry.number, path) not in listings.read:
                places.setdefault(digest, []).append((volume, path))
    return [Blob(digest, sizes.get(digest), tuple(at), _most(at, whole=whole)) for digest, at in places.items()]


def _most(places: Sequence[tuple[VerifiedVolume, str]], *, whole: bool) -> int:
    """Cap a blob whose size no tree gives: parity is as long as it needs to be."""
    parity = places[0][1].startswith(layout.PARITY)
    return layout.SMALL if whole and not parity else max(one.entry.bytes for one, _ in places)


def absent(
    manifest: Manifest, trees: Mapping[Digest, Tree], here: Set[Digest], held: Callable[[Digest, int], bool]
) -> list[Problem]:
    """Step 12: name every file of a tree whose blob is neither `here` on volumes, nor its parts, nor held."""
    here = here | {one.sha256 for one in manifest.split if all(part.sha256 in here for part in one.parts)}
    return [
        Problem(shown(entry.path), f"is on no volume, and its blob {entry.sha256} is not here")
        for tree in trees.values()
        for entry in tree.entries
        if entry.sha256 not in here and not held(entry.sha256, entry.size)
    ]


def pass_payload(blobs: Sequence[Blob], keep: Keep, *, workers: int, report: Report, phase: str) -> list[Problem]:
    """Step 11: read each file once, hashed as it goes to `keep`; return every bad file, sorted.

    Several drives are read at once. A path that is a hard link of one already read is not read again. Only the first
    copy of a blob goes to `keep`, further copies are hashed. Errors of our own disk are raised, those of the medium are
    collected.
    """
    report(Started(phase, sum(len(blob.places) for blob in blobs), sum((b.size or 0) * len(b.places) for b in blobs)))
    passage = _Passage(keep, report)
    drives = _by_drive(blobs)
    if len(drives) > 1:
        each_apart(passage.take, drives)
    else:
        each_sized(passage.take, blobs, lambda blob: blob.size or 0, workers=workers)
    report(Finished(phase))
    return sorted(passage.problems, key=lambda problem: problem.where)


class _Passage:
    """One pass over blobs; threads share it."""

    def __init__(self, keep: Keep, report: Report) -> None:
        self._keep = keep
        self._report = report
        self._guard = threading.Lock()
        self.problems: list[Problem] = []

    def take(self, blob: Blob) -> None:
        """Read a blob at each of its places."""
        keep, read = self._keep, set[tuple[int, int]]()
        for volume, path in blob.places:
            try:
                with volume.source.open(path) as file:
                    if file.identity not in read:
                        take_file(file, blob.sha256, keep, size=blob.size, most=blob.most)
                    read.add(file.identity)
                keep = hash_only
            except NotIntactError as bad:
                self._add(Problem(f"{volume.where}: {shown(path)}", bad.message))
            self._report(Advanced(1, blob.size or 0))

    def _add(self, problem: Problem) -> None:
        with self._guard:
            self.problems.append(problem)


def _by_drive(blobs: Sequence[Blob]) -> list[list[Blob]]:
    """Sort blobs by the device that they are read from first."""
    drives: dict[int, list[Blob]] = {}
    for blob in blobs:
        drives.setdefault(blob.places[0][0].source.device, []).append(blob)
    return list(drives.values())


def _listing(bundle: VerifiedBundle, entry: TreeEntry) -> list[tuple[VerifiedVolume, str]]:
    """Say where a tree's listing lies."""
    path = layout.tree_path(entry.digest)
    at_hand = (*bundle.volumes, *bundle.copies)
    return [(volume, path) for volume in at_hand if volume.index.get(path) == entry.stored.sha256]


def _nowhere(entry: TreeEntry) -> NotIntactError:
    return NotIntactError("the listing is on none of the volumes", where=layout.tree_path(entry.digest))


def _dictionary(entry: TreeEntry, store: Store) -> bytes | None:
    return store.listing(entry.dictionary) if entry.dictionary else None


def _counts_fit(repo: RepositoryEntry, tree: Tree, store: Store) -> bool:
    """Compare the manifest's counts with the listing; what was added and removed, where all base trees are held."""
    if repo.files != len(tree.entries) or repo.all != plan.count(plan.needed(tree)):
        return False
    if not all(map(store.holds, repo.base_trees)):
        return True
    bases = [store.tree(digest) for digest in repo.base_trees]
    return repo.added == plan.count(plan.needed(tree, bases)) and repo.removed == plan.count(plan.gone(tree, bases))


def require_none(
    problems: Sequence[Problem], *, hint: str, kind: type[FormatError] | type[NotIntactError] = NotIntactError
) -> None:
    """Raise one error, a `NotIntactError` unless told otherwise, naming every bad file, where there are any."""
    if problems:
        count = f"{len(problems):,} files" if len(problems) > 1 else "1 file"
        raise kind(f"{count} not intact", where=problems[0].where, hint=hint, problems=problems)
