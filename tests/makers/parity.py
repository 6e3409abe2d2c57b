"""Sets of volumes with parity, below a directory: written, damaged, repaired."""

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from issmedia.base import files
from issmedia.base.digest import Digest, digest_of
from issmedia.base.events import ignore
from issmedia.bundle.blocks import Media
from issmedia.bundle.parity import Encoded, encode
from issmedia.bundle.reader import DirectoryVolume
from issmedia.bundle.recovery import Assessment, assess
from issmedia.bundle.repair import repair
from issmedia.depot.store import Store
from issmedia.model.manifest import VolumeSource
from issmedia.model.recovery import INDEX, LEAST_BLOCK, Stream, stream_of
from issmedia.model.tree import Entry

Payload = Mapping[str, bytes]
"""Path → content of one volume's payload."""


@dataclass(frozen=True)
class ParitySet:
    """Volumes 1 to k + m in directories named after their numbers, and the store they were made from."""

    root: Path
    store: Store
    payload: tuple[Payload, ...]
    encoded: Encoded

    @property
    def numbers(self) -> range:
        """Number all volumes."""
        return range(1, self.encoded.recovery.k + self.encoded.recovery.m + 1)

    @property
    def blobs(self) -> dict[Digest, int]:
        """Map each blob's digest to its bytes."""
        return {digest_of(data): len(data) for files in self.payload for data in files.values()}

    def volume(self, number: int) -> Path:
        """Say where a volume lies."""
        return self.root / f"volume-{number}"

    @contextmanager
    def media(self, store: Store | None, lost: Iterable[int] = (), unknown: Iterable[int] = ()) -> Iterator[Media]:
        """Open all volumes but the lost; of the unknown the number is not said."""
        gone, nameless = set(lost), set(unknown)
        with ExitStack() as stack:
            opened: dict[int, VolumeSource] = {
                number: stack.enter_context(DirectoryVolume(self.volume(number)))
                for number in self.numbers
                if number not in gone
            }
            known = {number: source for number, source in opened.items() if number not in nameless}
            yield Media(store, known, [source for number, source in opened.items() if number in nameless])

    def good(self, lost: Iterable[int] = ()) -> Store:
        """Make a store of an importing site: every blob that a volume at hand holds whole."""
        gone = set(lost)
        store = Store(self.root / "lab")
        with store.writing() as writing:
            for number, content in enumerate(self.payload, 1):
                for path, data in content.items() if number not in gone else ():
                    place = self.volume(number) / path
                    if place.is_file() and place.read_bytes() == data:
                        writing.add_bytes(data)
        return store

    def repair(self, lost: Iterable[int] = (), unknown: Iterable[int] = ()) -> Store:
        """Take what is good into a new store, and repair what it lacks from the volumes at hand."""
        store = self.good(lost)
        with self.media(store, lost, unknown) as media:
            self.repair_from(media, store)
        return store

    def repair_from(self, media: Media, store: Store, *, workers: int = 2) -> None:
        """Repair what a store lacks."""
        wanted = store.missing(self.blobs)
        with store.writing() as writing:
            repair(self.encoded.recovery, media, wanted, writing, workers=workers, report=ignore)

    def assess(self, lost: Iterable[int] = ()) -> Assessment:
        """Look at all volumes but the lost, without a store."""
        with self.media(None, lost) as media:
            return assess(self.encoded.recovery, media, workers=2, report=ignore)

    def flip(self, number: int, path: str, offset: int) -> None:
        """Change one byte of a file of a volume."""
        place = self.volume(number) / path
        data = bytearray(place.read_bytes())
        data[offset] ^= 0x40
        place.write_bytes(data)


def parity_set(root: Path, payload: Iterable[Payload], *, m: int = 2, block: int = LEAST_BLOCK) -> ParitySet:
    """Store these volumes' payload, encode its parity, and write all volumes."""
    contents = tuple(payload)
    files.make_directory(root)
    store = Store(root / "store")
    with store.writing() as writing:
        for data in (data for content in contents for data in content.values()):
            writing.add_bytes(data)
    streams = [stream(number, content) for number, content in enumerate(contents, 1)]
    encoded = encode(streams, store.open, m=m, block=block, directory=root / "work", workers=2, report=ignore)
    made = ParitySet(root, store, contents, encoded)
    for number, content in enumerate(contents, 1):
        _write(made.volume(number), content)
    for number, parity in zip(encoded.recovery.volumes, encoded.volumes, strict=True):
        _write(made.volume(number), {INDEX: encoded.index} | {one.path: one.file.read_bytes() for one in parity})
    return made


def stream(number: int, content: Payload) -> Stream:
    """Make the stream of a volume."""
    return stream_of(number, (Entry(path, digest_of(data), len(data)) for path, data in content.items()))


def random_payload(volumes: int, seed: int = 1) -> list[Payload]:
    """Make volumes of some files each: empty ones, small ones that share blocks, and larger ones."""
    chance = random.Random(seed)
    return [
        {
            f"repos/p/r/{volume}-{number}.rpm": chance.randbytes(size)
            for number, size in enumerate((9000 + volume, 700, 0 if volume == 1 else 40, 3 * LEAST_BLOCK, 100 * volume))
        }
        for volume in range(1, volumes + 1)
    ]


def _write(directory: Path, content: Payload) -> None:
    directory.mkdir()
    for path, data in content.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
