"""What a volume declares, step 7 of `docs/format.md`: its `SHA256SUMS`, which of the manifest's volumes that makes it.

The manifest bounds what is read: it names the files of each volume. Where nobody vouches for the manifest either, the
caller names a bound of its own, `MAX_UNVERIFIED`.
"""

import msgspec

from issmedia.base.digest import Digest, Hand, hash_all
from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle import layout
from issmedia.bundle.faults import fault
from issmedia.model.manifest import Manifest, OpenedFile, UnverifiedVolume, VolumeEntry

MAX_UNVERIFIED = 128 << 20
"""Bytes of a listing that are read of volumes whose signatures were not checked: room for a million files or so."""


class Declared(msgspec.Struct, frozen=True):
    """The volume that it is; `sums` as it was read, and parsed: path → digest."""

    entry: VolumeEntry
    sums: bytes
    index: dict[str, Digest]


def declared(volume: UnverifiedVolume, manifest: Manifest, *, most: int = layout.MAX_SUMS) -> Declared:
    """Find the volume of the manifest whose `SHA256SUMS` this one has, and parse these same bytes.

    `NotIntactError` where it cannot be read, or has a digest that the manifest does not list. `FormatError` where it
    has more than `most` bytes, or is no list of as many files as the manifest says.
    """
    where = f"{volume.where}: {layout.SUMS}"
    longest = _longest(manifest)
    sums = bytearray()
    with volume.source.open(layout.SUMS) as file:
        if min(longest, file.size) > most:
            raise FormatError(
                f"is {file.size:,} bytes long, at most {most:,} are read of a volume that is not verified",
                where=where,
                hint="issmedia verify checks the signatures first, and reads it then",
            )
        digest = _hashed(file, sums.extend, longest, where)
    entry = _entry(manifest, digest)
    if entry is None:
        raise NotIntactError(
            f"expected sha256 {' or '.join(one.sums for one in manifest.volumes[:3])}, read {digest}",
            where=where,
            hint="this volume is damaged, or belongs to another bundle",
        )
    index = layout.parse_sums(bytes(sums), where=where)
    if len(index) != entry.files:
        raise FormatError(f"expected {entry.files} files, found {len(index)}", where=where)
    return Declared(entry, bytes(sums), index)


def claimed(volume: UnverifiedVolume, manifest: Manifest) -> VolumeEntry | None:
    """Find the volume of the manifest that this one claims to be, None where it is none of them; nothing is held.

    `NotIntactError` where its `SHA256SUMS` cannot be read.
    """
    with volume.source.open(layout.SUMS) as file:
        digest = _hashed(file, len, _longest(manifest), f"{volume.where}: {layout.SUMS}")
    return _entry(manifest, digest)


def _entry(manifest: Manifest, sums: Digest) -> VolumeEntry | None:
    return next((entry for entry in manifest.volumes if entry.sums == sums), None)


def _longest(manifest: Manifest) -> int:
    """Give the bytes that a listing of one of its volumes can have."""
    return min(layout.MAX_SUMS, layout.LONGEST_LINE * max(entry.files for entry in manifest.volumes))


def _hashed(file: OpenedFile, hand: Hand, longest: int, where: str) -> Digest:
    try:
        return hash_all(file.readinto, limit=min(longest, file.size), hand=hand)[0]
    except OSError as cause:
        raise NotIntactError(fault(cause), where=where) from cause
