"""Trees → directories of hard links that clients read; the switch by one rename.

    publications/
    ├── trees/<digest>.holes     says that files of the tree were withdrawn, until they are back
    ├── trees/<digest>/…         one tree: hard links to the store; made once, shared by generations
    └── <digest>/                a generation
        ├── issmedia.repo        the client file
        ├── _keys/<digest>.asc   OpenPGP keys the operator pinned
        └── PRODUCT/REPO -> ../../trees/<digest>
    published -> publications/<digest>

A generation is named by the SHA-256 of what it says, so publishing the same state again changes nothing, and a
repository that did not change costs one symbolic link. The generation before stays until the next switch, for
clients that are in the middle of a download.
"""

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from issmedia.base import files
from issmedia.base.digest import Digest, copy_and_hash, digest_of, is_digest
from issmedia.base.errors import DamagedBlobError
from issmedia.depot.store import Store, damaged
from issmedia.model.tree import Entry, Tree


class Generation(msgspec.Struct, frozen=True):
    """What clients shall see: `trees` maps PRODUCT/REPO → tree digest, `files` maps a path → small file's bytes."""

    trees: Mapping[str, Digest]
    files: Mapping[str, bytes]

    @property
    def name(self) -> Digest:
        """Name the generation by what it says."""
        parts = [f"{path} {digest}" for path, digest in sorted(self.trees.items())]
        parts += [f"{path} {digest_of(data)}" for path, data in sorted(self.files.items())]
        return digest_of("\n".join(parts).encode())


class Publications:
    """The directory of publications of a depot; change it only under the depot's lock."""

    def __init__(self, depot: Path, store: Store) -> None:
        self.root = depot / "publications"
        self.link = depot / "published"
        self._store = store

    def current(self) -> Digest | None:
        """Name the generation that clients see, or None."""
        try:
            return Digest(os.readlink(self.link).rpartition("/")[2])
        except OSError:
            return None

    def current_trees(self) -> dict[str, Digest]:
        """Map PRODUCT/REPO → tree digest of what clients see; empty where nothing is published."""
        current = self.current()
        return {} if current is None else self._trees_of(current)

    def trees(self) -> set[Digest]:
        """List the trees that lie here: what clients see, and what they saw until the newest switch."""
        root = self.root / "trees"
        return {Digest(name) for name in (os.listdir(root) if root.is_dir() else ()) if is_digest(name)}

    def tree_path(self, tree: Digest) -> Path:
        """Say where a tree's directory of hard links lies, or would lie."""
        return self.root / "trees" / tree

    def has_tree(self, tree: Digest) -> bool:
        """Say whether a tree's directory is made, and has no holes."""
        return self.tree_path(tree).is_dir() and not self._holes(tree).exists()

    def add_tree(self, digest: Digest, tree: Tree) -> None:
        """Make a tree's directory of hard links under a temporary name, then name it; or fill the holes in one."""
        if self.tree_path(digest).is_dir():
            return self._fill(digest, tree)
        files.make_directory(self.root / "trees")
        files.sweep(self.root / "trees")
        draft = files.temporary_name(self.root / "trees")
        files.make_directory(draft)
        made: set[str] = {""}
        for entry in tree.entries:
            _make_parents(draft, entry.path, made)
            self._link(entry, f"{draft}/{entry.path}")
        files.sync_filesystem(draft)
        files.rename(draft, self.tree_path(digest))

    def switch(self, generation: Generation) -> bool:
        """Show clients a generation whose trees are made, by one rename; False where they see it already."""
        name, before = generation.name, self.current()
        if before == name:
            return False
        self._write(generation)
        files.sync_filesystem(self.root)
        self._drop_all_but({name} | ({before} if before else set()))
        draft = files.temporary_name(self.root)
        files.symlink(f"publications/{name}", draft)
        files.rename(draft, self.link)
        files.fsync_directory(self.link.parent)
        return True

    def withdraw(self, digests: Iterable[Digest]) -> int:
        """Remove every published name of damaged blobs, so that clients get an error rather than bad bytes."""
        inodes = {os.lstat(self._store.path(digest)).st_ino for digest in digests}
        found = [
            Path(folder) / name
            for folder, _, names in os.walk(self.root / "trees")
            for name in names
            if os.lstat(Path(folder) / name).st_ino in inodes
        ]
        for tree in {path.relative_to(self.root / "trees").parts[0] for path in found}:
            files.write_atomic(self._holes(Digest(tree)), b"")
        for path in found:
            files.unlink(path)
        return len(found)

    def _holes(self, tree: Digest) -> Path:
        return self.root / "trees" / f"{tree}.holes"

    def _fill(self, digest: Digest, tree: Tree) -> None:
        """Link what was withdrawn and is in the store again; what is not there yet stays a hole."""
        gone = [entry for entry in tree.entries if not (self.tree_path(digest) / entry.path).exists()]
        back = [entry for entry in gone if self._store.has(entry.sha256, entry.size)]
        for entry in back:
            self._link(entry, f"{self.tree_path(digest)}/{entry.path}")
        files.sync_filesystem(self.tree_path(digest))
        if len(back) == len(gone):
            files.unlink(self._holes(digest))

    def _write(self, generation: Generation) -> None:
        target = self.root / generation.name
        if target.is_dir():
            return
        files.sweep(self.root)
        draft = files.temporary_name(self.root)
        files.make_directory(draft)
        for path, digest in generation.trees.items():
            files.make_directory((draft / path).parent)
            files.symlink(f"../../trees/{digest}", draft / path)
        for path, data in generation.files.items():
            files.make_directory((draft / path).parent)
            files.write_atomic(draft / path, data)
        files.rename(draft, target)

    def _trees_of(self, generation: Digest) -> dict[str, Digest]:
        root = self.root / generation
        return {
            f"{product.name}/{link.name}": Digest(os.readlink(link).rpartition("/")[2])
            for product in sorted(root.iterdir() if root.is_dir() else ())
            if product.is_dir()
            for link in sorted(product.iterdir())
            if link.is_symlink()
        }

    def _drop_all_but(self, kept: set[Digest]) -> None:
        """Remove older generations, their trees, and drafts. Before the switch, so that a rerun does it too."""
        linked = {tree for generation in kept for tree in self._trees_of(generation).values()}
        for entry in sorted(os.listdir(self.root)):
            if entry not in kept and entry != "trees":
                _drop(self.root / entry)
        for entry in sorted(os.listdir(self.root / "trees")) if (self.root / "trees").is_dir() else ():
            if entry.removesuffix(".holes") not in linked:
                _drop(self.root / "trees" / entry)

    def _link(self, entry: Entry, target: str) -> None:
        source = self._store.path(entry.sha256)
        try:
            files.link(source, target)
        except FileNotFoundError as cause:
            raise DamagedBlobError(
                "the blob is not in the store", where=f"{entry.path} ({entry.sha256})", hint="issmedia audit"
            ) from cause
        except OSError as cause:
            if cause.errno != errno.EMLINK:
                raise
            self._copy(entry, target)

    def _copy(self, entry: Entry, target: str) -> None:
        with files.Staged(target.rpartition("/")[0]) as file, self._store.open(entry.sha256) as blob:
            found, _, _ = copy_and_hash(blob.readinto, file, limit=entry.size)
            if found != entry.sha256:
                raise damaged(entry.sha256, found)
            file.close(0o444, durable=False)
            files.rename(file.path, target)


def _drop(path: Path) -> None:
    """Remove a directory whose name says that it is whole: the name goes first, so that no half of it keeps it."""
    draft = files.temporary_name(path.parent)
    files.rename(path, draft)
    files.remove_directory(draft)


def _make_parents(root: Path, path: str, made: set[str]) -> None:
    parent = path.rpartition("/")[0]
    if parent in made:
        return
    _make_parents(root, parent, made)
    files.make_directory(root / parent)
    made.add(parent)
