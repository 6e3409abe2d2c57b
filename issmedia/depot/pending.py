"""Bundles of which some volumes were imported and others are still to come.

    pending/<bundle id>/
    ├── manifest.json        as it was signed and verified
    ├── manifest.json.sig
    ├── places.txt           where its blobs lie, for asking (bundle.places)
    └── 3.sums               the SHA256SUMS of volume 3, which was seen

What of a volume is here, the store tells: nothing is counted twice, and a blob that was lost since is asked for again.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from issmedia.base import files
from issmedia.base.digest import Digest, digest_of, is_digest
from issmedia.base.errors import DepotError

_MANIFEST, _SIGNATURES, _PLACES, _SUMS = "manifest.json", "manifest.json.sig", "places.txt", ".sums"


class Begun(msgspec.Struct, frozen=True):
    """What is kept of a bundle that was begun: `sums` maps the number of a volume → its SHA256SUMS.

    `places` is the hint where blobs lie, empty where no volume brought one yet.
    """

    id: Digest
    manifest: bytes
    signatures: bytes
    sums: Mapping[int, bytes]
    places: bytes = b""


class Pending:
    """The directory of bundles that were begun; changed under the depot's lock."""

    def __init__(self, depot: Path) -> None:
        self._root = depot / "pending"

    def keep(self, begun: Begun) -> None:
        """Remember a bundle, or further volumes of one."""
        directory = self._root / begun.id
        known = self.find(begun.id)
        files.make_directory(directory, 0o700)
        files.sweep(directory)
        for number, sums in begun.sums.items():
            if known is None or known.sums.get(number) != sums:
                files.write_atomic(directory / f"{number}{_SUMS}", sums)
        if begun.places and (known is None or not known.places):
            files.write_atomic(directory / _PLACES, begun.places)
        if known is None or known.signatures != begun.signatures:
            files.write_atomic(directory / _SIGNATURES, begun.signatures)
        if known is None:
            files.write_atomic(directory / _MANIFEST, begun.manifest)
            files.fsync_directory(self._root)

    def find(self, bundle: Digest) -> Begun | None:
        """Give what is kept of a bundle, or None; also where its manifest rotted: its volumes must come again."""
        directory = self._root / bundle
        if not (directory / _MANIFEST).is_file() or not (directory / _SIGNATURES).is_file():
            return None
        try:
            manifest = (directory / _MANIFEST).read_bytes()
            if digest_of(manifest) != bundle:
                return None
            sums = {int(path.stem): path.read_bytes() for path in directory.glob(f"*{_SUMS}") if path.stem.isdecimal()}
            places = (directory / _PLACES).read_bytes() if (directory / _PLACES).is_file() else b""
            return Begun(bundle, manifest, (directory / _SIGNATURES).read_bytes(), sums, places)
        except OSError as cause:
            raise DepotError(cause.strerror or str(cause), where=str(directory)) from cause

    def all(self) -> list[Begun]:
        """List them, by id."""
        names = sorted(path.name for path in self._root.iterdir()) if self._root.is_dir() else []
        found = (self.find(Digest(name)) for name in names if is_digest(name))
        return [one for one in found if one is not None]

    def forget(self, bundle: Digest) -> None:
        """Remove what is kept of a bundle: it was imported, or is wanted no more. The manifest goes first, so a run
        that is killed here leaves nothing that `find` would take for a bundle.
        """
        if (self._root / bundle).is_dir():
            files.unlink(self._root / bundle / _MANIFEST)
            files.fsync_directory(self._root / bundle)
            files.remove_directory(self._root / bundle)

    def sweep(self) -> None:
        """Remove what is kept of no bundle: what was half forgotten when a run died, or rotted."""
        for path in sorted(self._root.iterdir()) if self._root.is_dir() else ():
            if is_digest(path.name) and self.find(Digest(path.name)) is None:
                files.remove_directory(path)
