"""Sets of volumes as an attacker makes them who holds the key, or only the media: altered, and sealed again or not."""

from collections.abc import Iterable
from pathlib import Path

import zstandard

from issmedia.base.digest import digest_of
from issmedia.bundle import layout
from issmedia.depot.keys import FileKey
from tests.makers.forge import Document, Edit, manifest_of, put_manifest


def edit_set(volumes: Iterable[Path], edit: Edit, *keys: FileKey) -> None:
    """Change the manifest of every volume alike, and sign it; nothing else is made to fit."""
    for volume in volumes:
        document = manifest_of(volume)
        edit(document)
        put_manifest(volume, document, *keys)


def reseal_set(volumes: Iterable[Path], *keys: FileKey, edit: Edit = lambda _document: None) -> None:
    """Make the `SHA256SUMS` of every volume fit what lies there, and the manifest fit those; then apply `edit`."""
    listed = list(volumes)
    entries = [_sealed(volume) for volume in listed]

    def fit(document: Document) -> None:
        for entry, facts in zip(document["volumes"], entries, strict=True):
            entry.update(facts)
        edit(document)

    edit_set(listed, fit, *keys)


def put_sums_of_set(volumes: list[Path], number: int, sums: bytes, *keys: FileKey) -> None:
    """Let a volume have any `SHA256SUMS`, and all manifests name that."""
    (volumes[number - 1] / layout.SUMS).write_bytes(sums)
    facts = {"sums": digest_of(sums), "files": sums.count(b"\n")}
    edit_set(volumes, lambda document: document["volumes"][number - 1].update(facts), *keys)


def put_index(volumes: Iterable[Path], index: bytes, *keys: FileKey) -> None:
    """Let every parity volume have this index of parity, and sums and manifests fit it."""
    listed, packed = list(volumes), zstandard.ZstdCompressor().compress(index)
    for volume in listed:
        if (volume / "parity").is_dir():
            (volume / "parity/index.json.zst").write_bytes(packed)

    def fit(document: Document) -> None:
        document["recovery"]["index"] = {"sha256": digest_of(packed), "size": len(packed)}

    reseal_set(listed, *keys, edit=fit)


def index_of(volume: Path) -> bytes:
    """Read the index of parity of a parity volume."""
    return zstandard.ZstdDecompressor().decompress((volume / "parity/index.json.zst").read_bytes())


def _sealed(volume: Path) -> Document:
    files = {path.relative_to(volume).as_posix(): path for path in volume.rglob("*") if path.is_file()}
    index = {name: path.read_bytes() for name, path in files.items() if name not in layout.APART}
    sums = layout.encode_sums((name, digest_of(data)) for name, data in index.items())
    (volume / layout.SUMS).write_bytes(sums)
    return {"sums": digest_of(sums), "files": len(index), "bytes": sum(map(len, index.values()))}
