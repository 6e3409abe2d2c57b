"""A bundle on its way in, volume by volume: what was seen of it earlier, what is at hand, what parity can mend."""

from collections.abc import Iterable, Mapping, Set
from functools import partial

from issmedia.base.digest import Digest, Read, digest_of
from issmedia.base.errors import DepotError, NotIntactError
from issmedia.base.events import Note, Report, Warned
from issmedia.bundle import layout
from issmedia.bundle.blocks import Media, read_index
from issmedia.bundle.payload import Blob, pass_payload
from issmedia.bundle.places import parse_places, read_places
from issmedia.bundle.reach import in_reach
from issmedia.bundle.repair import repair
from issmedia.depot.pending import Begun, Pending
from issmedia.depot.store import Store, Writing
from issmedia.model.arrivals import Arrival, arrivals
from issmedia.model.manifest import Manifest, SplitEntry, VerifiedBundle, parse_manifest
from issmedia.model.trust import chain_of


class Coming:
    """One run of an import: `begin` remembers the volumes at hand for the next, `ended` forgets them."""

    def __init__(self, pending: Pending, store: Store, bundle: VerifiedBundle) -> None:
        self._pending = pending
        self._store = store
        self._bundle = bundle
        begun = pending.find(bundle.id)
        self.remembered = begun is not None
        self._indexes = {
            **(seen(bundle.manifest, begun) if begun else {}),
            **{volume.entry.number: volume.index for volume in bundle.volumes},
        }
        self._places = begun.places if begun and begun.places else read_places(bundle)

    def begin(self, *, anyway: bool = False) -> None:
        """Remember the volumes at hand, where others are to come; `anyway` where these must come again."""
        if anyway or self.remembered or self._bundle.missing:
            sums = {volume.entry.number: volume.sums for volume in self._bundle.volumes}
            begun = Begun(self._bundle.id, self._bundle.manifest_bytes, self._bundle.signatures, sums, self._places)
            self._pending.keep(begun)

    def helpers(self) -> set[Digest]:
        """Give the blobs here that serve until the bundle is whole, parts and parity, and no other that is to come.

        A tree may have the same blob: who made the bundle, or a file in it, chooses the bytes.
        """
        manifest = self._bundle.manifest
        parts = {part.sha256 for one in manifest.split for part in one.parts}
        others = blobs_arrived((one for one in self._pending.all() if one.id != self._bundle.id), self._store)
        return {one for one in parts | helpers_of(manifest, self._indexes) if self._store.holds(one)} - others

    def ended(self, helpers: Set[Digest]) -> None:
        """Drop `helpers`; forget older bundles of the chain, and last this one, which is imported.

        Killed between, the same import again finds this one remembered, and ends it.
        """
        manifest = self._bundle.manifest
        for digest in helpers:
            self._store.remove(digest)
        for begun in sorted(self._pending.all(), key=lambda one: one.id == self._bundle.id):
            other = parse_manifest(begun.manifest)
            if chain_of(other) == chain_of(manifest) and other.sequence <= manifest.sequence:
                self._pending.forget(begun.id)
        self._pending.sweep()

    def all_seen(self) -> bool:
        """Say whether every volume that is not parity was seen, now or earlier."""
        parity = self._bundle.manifest.recovery.volumes if self._bundle.manifest.recovery else ()
        numbers = {entry.number for entry in self._bundle.manifest.volumes}
        return self._indexes.keys() >= numbers - set(parity)

    def placed(self) -> Set[Digest]:
        """Give all that the volumes which were seen declare."""
        return {digest for index in self._indexes.values() for digest in index.values()}

    def arrivals(self, lacking: Set[Digest]) -> tuple[Arrival, ...]:
        """Say how far each volume has come."""
        return arrivals(self._bundle.manifest, lacking, self._indexes, parse_places(self._places))

    def mend(self, lacking: Mapping[Digest, int], writing: Writing, *, workers: int, report: Report) -> None:
        """Rebuild what is lacking, as far as parity and the media at hand allow; what cannot be had stays lacking.

        Parity that is at hand and does not suffice yet is stored, so that volumes may come one after another.
        """
        recovery = self._bundle.manifest.recovery
        if not lacking or recovery is None or not self._has_parity():
            return
        media = media_of(self._bundle, self._store)
        try:
            repair(recovery, media, lacking, writing, workers=workers, report=report)
        except NotIntactError as cause:
            report(Note(f"parity cannot mend it yet: {cause.message}"))
            self._keep_parity(writing, workers=workers, report=report)
        writing.flush()

    def mendable(self, lacking: Set[Digest]) -> Set[Digest]:
        """Say what of these parity makes up for, if all that is at hand is as it should be; the payload is not read."""
        recovery = self._bundle.manifest.recovery
        if not lacking or recovery is None or not self._has_parity():
            return frozenset()
        media = media_of(self._bundle, self._store)
        try:
            index = read_index(recovery, media)
        except NotIntactError:
            return frozenset()
        return in_reach(recovery, index, media, lacking)

    def is_parity(self, blob: Blob) -> bool:
        """Say whether a blob is only parity, which is read where something must be mended, and not before."""
        return all(path.startswith(layout.PARITY) for _, path in blob.places)

    def _keep_parity(self, writing: Writing, *, workers: int, report: Report) -> None:
        """Store parity, which will be wanted when the next volume was stored; a bad file of it is no loss yet."""
        places = {
            digest: (volume, path)
            for volume in self._bundle.volumes
            for path, digest in volume.index.items()
            if path.startswith(layout.PARITY) and not self._store.holds(digest)
        }
        blobs = [Blob(digest, None, (place,), place[0].entry.bytes) for digest, place in places.items()]

        def keep(expected: Digest, most: int, read: Read) -> tuple[Digest, int]:
            return writing.add(read, limit=most, check=partial(_require_digest, expected))

        for problem in pass_payload(blobs, keep, workers=workers, report=report, phase="keeping parity"):
            report(Warned(problem.message, problem.where))

    def _has_parity(self) -> bool:
        numbers = self._bundle.manifest.recovery.volumes if self._bundle.manifest.recovery else ()
        return any(number in self._indexes for number in numbers) or bool(self._bundle.damaged)


def seen(manifest: Manifest, begun: Begun) -> dict[int, Mapping[str, Digest]]:
    """Give the indexes of the volumes that were seen; one that rotted here since was not."""
    sums = {entry.number: entry.sums for entry in manifest.volumes}
    return {
        number: layout.parse_sums(data, where=f"volume {number}: {layout.SUMS}")
        for number, data in begun.sums.items()
        if digest_of(data) == sums.get(number)
    }


def media_of(bundle: VerifiedBundle, store: Store) -> Media:
    """Give parity all that is at hand to read from."""
    volumes = {volume.entry.number: volume.source for volume in bundle.volumes}
    return Media(store, volumes, tuple(volume.source for volume in bundle.damaged))


def blobs_arrived(pending: Iterable[Begun], store: Store) -> set[Digest]:
    """Give the blobs that unfinished imports may have brought or rebuilt, and the listings that say so.

    Parity gives back what lies on volumes that were never seen: only listings and the manifest name that.
    """
    found: set[Digest] = set()
    for begun in pending:
        manifest = parse_manifest(begun.manifest)
        trees = [entry.digest for entry in manifest.trees]
        found.update(trees)
        found.update(entry.sha256 for tree in trees if store.holds(tree) for entry in store.tree(tree).entries)
        found.update(part.sha256 for one in manifest.split for part in one.parts)
        found.update(digest for index in seen(manifest, begun).values() for digest in index.values())
    return found


def in_parts(manifest: Manifest, lacking: Mapping[Digest, int]) -> dict[Digest, int]:
    """Ask for the parts of a blob that was split, instead of the blob."""
    wanted = dict(lacking)
    for one in manifest.split:
        if wanted.pop(one.sha256, None) is not None:
            wanted.update((part.sha256, part.size) for part in one.parts)
    return wanted


def join_parts(manifest: Manifest, store: Store, writing: Writing) -> None:
    """Make the blobs that were split of their parts, which are all in the store."""
    for one in manifest.split:
        if not store.has(one.sha256, one.size):
            _join(one, store, writing)


def helpers_of(manifest: Manifest, indexes: Mapping[int, Mapping[str, Digest]]) -> set[Digest]:
    """Give the blobs that serve only until the bundle is whole: parity."""
    parity = manifest.recovery.volumes if manifest.recovery else ()
    return {
        digest
        for number in parity
        for path, digest in indexes.get(number, {}).items()
        if path.startswith(layout.PARITY)
    }


def _require_digest(expected: Digest, found: Digest, _size: int, _others: dict[str, str]) -> None:
    if found != expected:
        raise NotIntactError(f"expected sha256 {expected}, read {found}")


def _join(one: SplitEntry, store: Store, writing: Writing) -> None:
    parts = [(part, store.open(part.sha256)) for part in one.parts]
    current = 0

    def read(buffer: memoryview) -> int:
        nonlocal current
        while current < len(parts):
            if count := parts[current][1].readinto(buffer):
                return count
            current += 1
        return 0

    def check(found: Digest, size: int, _others: dict[str, str]) -> None:
        if found != one.sha256 or size != one.size:
            raise DepotError(f"its parts make up sha256 {found}", where=one.sha256, hint="issmedia audit")

    try:
        writing.add(read, limit=one.size, check=check)
    finally:
        for _, file in parts:
            file.close()
