"""inspect: what is this, as it says itself. No keyring, no depot; nothing here is believed."""

from dataclasses import dataclass

from issmedia.base.digest import Digest
from issmedia.bundle.reader import read_sums
from issmedia.model.manifest import Manifest, UnverifiedBundle, VolumeEntry, parse_manifest
from issmedia.model.sshsig import Signature, read_signatures


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a bundle says of itself: unverified. `volumes` pairs each path given with its entry, None if unknown."""

    id: Digest
    manifest: Manifest
    signatures: tuple[str, ...]
    volumes: tuple[tuple[str, VolumeEntry | None], ...]


def inspect(bundle: UnverifiedBundle) -> Inspected:
    """Read the manifest and who signed it, as claimed; the payload is not touched."""
    manifest = parse_manifest(bundle.manifest)
    found = []
    for volume in bundle.volumes:
        digest, _ = read_sums(volume, manifest)
        found.append((volume.where, next((one for one in manifest.volumes if one.sums == digest), None)))
    return Inspected(bundle.id, manifest, _fingerprints(bundle.signatures), tuple(found))


def _fingerprints(armored: bytes) -> tuple[str, ...]:
    found = read_signatures(armored)
    return tuple(one.fingerprint if isinstance(one, Signature) else f"malformed: {one.reason}" for one in found)
