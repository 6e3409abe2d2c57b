"""inspect: what is this, as it says itself. No keyring, no depot; nothing here is believed."""

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle import layout
from issmedia.bundle.declared import claimed
from issmedia.model.manifest import Manifest, UnverifiedBundle, UnverifiedVolume, VolumeEntry, parse_manifest
from issmedia.model.sshsig import Signature, read_signatures


class Inspected(msgspec.Struct, frozen=True):
    """What a bundle says of itself: unverified.

    `volumes` pairs each path given with its entry, or with what hinders to say which it is.
    """

    id: Digest
    manifest: Manifest
    signatures: tuple[str, ...]
    volumes: tuple[tuple[str, VolumeEntry | str], ...]


def inspect(bundle: UnverifiedBundle) -> Inspected:
    """Read the manifest and who signed it, as claimed; the payload is not touched. Other damage is said, not raised."""
    manifest = parse_manifest(bundle.manifest)
    volumes = tuple((volume.where, _entry(volume, manifest)) for volume in bundle.volumes)
    return Inspected(bundle.id, manifest, _fingerprints(bundle.signatures), volumes)


def _entry(volume: UnverifiedVolume, manifest: Manifest) -> VolumeEntry | str:
    try:
        entry = claimed(volume, manifest)
    except NotIntactError as bad:
        return f"{layout.SUMS} {bad.message}"
    return entry or f"{layout.SUMS} is not one of this manifest's"


def _fingerprints(armored: bytes) -> tuple[str, ...]:
    try:
        found = read_signatures(armored)
    except FormatError as bad:
        return (f"malformed: {bad.message}",)
    return tuple(one.fingerprint if isinstance(one, Signature) else f"malformed: {one.reason}" for one in found)
