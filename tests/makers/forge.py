"""Bundles as an attacker makes them: a good volume altered, or one made by hand, every digest right that shall be.

What the writer refuses to make is made here from the model's types, which check nothing when they are constructed.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from issmedia.base.digest import Digest, digest_of
from issmedia.bundle import layout
from issmedia.depot.keys import FileKey, load
from issmedia.model import strictjson
from issmedia.model.manifest import (
    Count,
    Manifest,
    ProductEntry,
    RepositoryEntry,
    SiteName,
    Stored,
    Tool,
    TreeEntry,
    VolumeEntry,
)
from issmedia.model.tree import Entry, Tree
from issmedia.model.trust import NAMESPACE_BUNDLE
from tests.makers.sites import Site

Document = dict[str, Any]
Edit = Callable[[Document], object]

_MADE = "2026-01-01T00:00:00Z"
_TAKEN = "2999-01-01T00:00:00Z"


def release_key(site: Site) -> FileKey:
    """Load the private half of a site's key `release`."""
    key = load(site.root / "keys", "release", lambda: None)
    assert isinstance(key, FileKey)
    return key


def copied(source: Path, target: Path) -> Path:
    """Copy a directory with modes and links as they are."""
    shutil.copytree(source, target, symlinks=True)
    return target


def manifest_of(volume: Path) -> Document:
    """Read a volume's manifest as plain JSON."""
    document = json.loads((volume / layout.MANIFEST).read_bytes())
    assert isinstance(document, dict)
    return document


def sign(volume: Path, *keys: FileKey, namespace: str = NAMESPACE_BUNDLE) -> None:
    """Sign the manifest as it stands with these keys."""
    data = (volume / layout.MANIFEST).read_bytes()
    (volume / layout.SIGNATURES).write_bytes(b"".join(key.sign(data, namespace) for key in keys))


def put_manifest(volume: Path, manifest: Document | bytes, *keys: FileKey) -> None:
    """Replace the manifest, by a document or by any bytes, and sign it."""
    data = manifest if isinstance(manifest, bytes) else json.dumps(manifest, sort_keys=True, indent=2).encode() + b"\n"
    (volume / layout.MANIFEST).write_bytes(data)
    sign(volume, *keys)


def edit_manifest(volume: Path, edit: Edit, *keys: FileKey) -> None:
    """Change the manifest's document and sign it; nothing else is made to fit."""
    document = manifest_of(volume)
    edit(document)
    put_manifest(volume, document, *keys)


def reseal(volume: Path, *keys: FileKey, extra: Iterable[tuple[str, Digest]] = (), edit: Edit | None = None) -> None:
    """Make `SHA256SUMS`, manifest and signatures fit the files that lie there, and `extra` lines; then apply `edit`."""
    files = {path.relative_to(volume).as_posix(): path for path in volume.rglob("*") if path.is_file()}
    index = [(name, digest_of(path.read_bytes())) for name, path in files.items() if name not in layout.APART]
    put_sums(volume, layout.encode_sums([*index, *extra]), *keys, files=len(index) + len(list(extra)), edit=edit)


def put_sums(volume: Path, sums: bytes, *keys: FileKey, files: int, edit: Edit | None = None) -> None:
    """Replace `SHA256SUMS` by any bytes and make manifest and signatures fit; then apply `edit`."""
    (volume / layout.SUMS).write_bytes(sums)
    document = manifest_of(volume)
    document["volumes"][0] |= {"sums": digest_of(sums), "files": files}
    if edit is not None:
        edit(document)
    put_manifest(volume, document, *keys)


def replace_tree(volume: Path, tree: bytes, *keys: FileKey, edit: Edit | None = None) -> None:
    """Let the only repository of a good volume have another listing, whatever bytes that is."""
    (old,) = (volume / "trees").iterdir()
    old.unlink()
    stored = zstandard.ZstdCompressor().compress(tree)
    (volume / layout.tree_path(digest_of(tree))).write_bytes(stored)

    def fit(document: Document) -> None:
        facts = {"sha256": digest_of(stored), "size": len(stored)}
        document["trees"] = [{"digest": digest_of(tree), "size": len(tree), "stored": facts, "dictionary": None}]
        document["repositories"][0] |= {"tree": digest_of(tree), "files": tree.count(b"\n")}
        if edit is not None:
            edit(document)

    reseal(volume, *keys, edit=fit)


@dataclass(frozen=True)
class Handmade:
    """A bundle of one repository `p/zoo`, made by hand: its tree, and blobs, which all lie in `blobs/`."""

    site: SiteName
    tree: Tree
    blobs: Mapping[Digest, bytes]
    sequence: int = 9
    names: tuple[str, str] = ("p", "p/zoo")
    notes: str = ""

    def write(self, volume: Path, *keys: FileKey, edit: Edit | None = None) -> Path:
        """Write and sign it as a volume; nothing is checked."""
        files = {layout.blob_path(digest): data for digest, data in self.blobs.items()}
        listing = self.tree.encode()
        stored = zstandard.ZstdCompressor().compress(listing)
        files[layout.tree_path(digest_of(listing))] = stored
        for path, data in files.items():
            (volume / path).parent.mkdir(parents=True, exist_ok=True)
            (volume / path).write_bytes(data)
        entry = TreeEntry(digest_of(listing), len(listing), Stored(digest_of(stored), len(stored)), None)
        (volume / layout.MANIFEST).write_bytes(strictjson.render(self._manifest(entry)))
        reseal(volume, *keys, edit=edit)
        return volume

    def _manifest(self, tree: TreeEntry) -> Manifest:
        sizes = {entry.sha256: entry.size for entry in self.tree.entries}
        everything = Count(len(sizes), sum(sizes.values()))
        return Manifest(
            format="issmedia-bundle",
            version=1,
            site=self.site,
            destination=None,
            sequence=self.sequence,
            previous=None,
            created=_MADE,
            expires=None,
            tool=Tool("issmedia", "0"),
            notes=self.notes,
            kind="full",
            products=(ProductEntry("p", self.names[0]),),
            repositories=(self._repository(tree.digest, everything),),
            views=(),
            environments=(),
            trees=(tree,),
            content=everything,
            volumes=(VolumeEntry(1, "ISSM_00000000_V01OF01", "directory", None, 0, 0, tree.digest),),
            recovery=None,
            incomplete=(),
            bases=(),
            split=(),
        )

    def _repository(self, tree: Digest, everything: Count) -> RepositoryEntry:
        return RepositoryEntry(
            product="p",
            label="zoo",
            name=self.names[1],
            content_type="yum",
            upstream=None,
            taken=_TAKEN,
            signed_metadata=False,
            keys=(),
            tree=tree,
            base_trees=(),
            files=len(self.tree.entries),
            packages=0,
            all=everything,
            added=everything,
            removed=Count(0, 0),
        )


def handmade(site: SiteName, files: Mapping[str, bytes], **choices: Any) -> Handmade:
    """Make a bundle of these files; paths are taken as they are, whatever they are."""
    entries = [Entry(path, digest_of(data), len(data)) for path, data in files.items()]
    tree = Tree(tuple(sorted(entries, key=lambda entry: entry.path)))
    return Handmade(site, tree, {digest_of(data): data for data in files.values()}, **choices)
