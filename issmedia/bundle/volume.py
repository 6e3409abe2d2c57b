"""The plan, which is the manifest: what lies on each volume, decided before a byte of payload is written."""

from pathlib import Path

import msgspec

from issmedia.base.digest import Digest, digest_of
from issmedia.model.manifest import Manifest, VolumeEntry


class Part(msgspec.Struct, frozen=True):
    """A numbered part of a blob that no file of its medium can hold; `offset` is where in the blob it begins."""

    blob: Digest
    number: int
    offset: int


class PlannedFile(msgspec.Struct, frozen=True):
    """One file of a volume: `content` holds the bytes of what is made here, `file` is where they lie on disk already.

    Where both are None they are the store's blob of this digest, or a `part` of another.
    """

    path: str
    sha256: Digest
    size: int
    content: bytes | None = None
    file: Path | None = None
    part: Part | None = None

    @property
    def is_payload(self) -> bool:
        """Say whether its bytes come from the store."""
        return self.content is None and self.file is None


class PlannedVolume(msgspec.Struct, frozen=True):
    """A volume's files, sorted by path, `SHA256SUMS` not among them.

    `used` are the bytes that its medium's file system needs for all of it; 0 where it has no medium.
    """

    entry: VolumeEntry
    files: tuple[PlannedFile, ...]
    sums: bytes
    used: int = 0


class Plan(msgspec.Struct, frozen=True):
    """The unsigned manifest, its bytes, and the volumes they name."""

    manifest: Manifest
    manifest_bytes: bytes
    volumes: tuple[PlannedVolume, ...]

    @property
    def id(self) -> Digest:
        """Name the bundle."""
        return digest_of(self.manifest_bytes)
