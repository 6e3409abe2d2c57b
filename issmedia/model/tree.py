"""Trees: sorted listings path → (sha256, size).

Canonical bytes are JSON Lines sorted by path (UTF-8 bytes), no blanks:
`{"path":"Packages/a.rpm","sha256":"<64 hex>","size":123}`. The SHA-256 of these bytes names the tree.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError
from issmedia.model import names
from issmedia.model.strictjson import MAX_INTEGER

DigestField = Annotated[Digest, msgspec.Meta(pattern="^[0-9a-f]{64}$", min_length=64, max_length=64)]
SizeField = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]

MAX_TREE_BYTES = 1 << 30
"""The longest listing that is read: room for some five million files."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One file of a tree; `path` follows the grammar of `model.names`, `size` is bytes."""

    path: str
    sha256: DigestField
    size: SizeField


class Tree(msgspec.Struct, frozen=True):
    """A sorted listing without duplicates; make one with `tree_of` or `parse_tree`."""

    entries: tuple[Entry, ...]

    def encode(self) -> bytes:
        """Give the canonical bytes."""
        return msgspec.json.Encoder().encode_lines(self.entries)

    @property
    def digest(self) -> Digest:
        """Name the tree: the SHA-256 of its canonical bytes."""
        return digest_of(self.encode())

    @property
    def size(self) -> int:
        """Sum the bytes of its blobs, each once, as a manifest does."""
        return sum(blobs_of([self]).values())

    def find(self, path: str) -> Entry | None:
        """Give the entry at a path, or None."""
        return next((entry for entry in self.entries if entry.path == path), None)


def tree_of(entries: Iterable[Entry]) -> Tree:
    """Sort entries into a tree; `FormatError` names every path that breaks the grammar or collides."""
    tree = Tree(tuple(sorted(entries, key=lambda entry: entry.path)))
    _check_names(tree)
    return tree


def parse_tree(data: bytes, *, where: str) -> Tree:
    """Parse canonical bytes; anything else, however slightly, is a `FormatError`."""
    try:
        tree = Tree(tuple(msgspec.json.Decoder(Entry).decode_lines(data)))
        canonical = tree.encode() == data
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as cause:
        raise FormatError(f"not a tree: {names.shown(str(cause))}", where=where) from cause
    if not canonical or any(a.path >= b.path for a, b in zip(tree.entries, tree.entries[1:], strict=False)):
        raise FormatError("not a tree in canonical form", where=where)
    _check_names(tree)
    return tree


def known_tree(data: bytes, *, where: str) -> Tree:
    """Parse canonical bytes that this site has checked before, and now compared with their digest."""
    try:
        return Tree(tuple(msgspec.json.Decoder(Entry).decode_lines(data)))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as cause:
        raise FormatError(f"not a tree: {names.shown(str(cause))}", where=where) from cause


def blobs_of(trees: Iterable[Tree]) -> dict[Digest, int]:
    """Join trees into the blobs they name, with their sizes in bytes, each once, in the order first met."""
    sizes: dict[Digest, int] = {}
    for entry in _entries(trees):
        if sizes.setdefault(entry.sha256, entry.size) != entry.size:
            raise FormatError(f"two sizes for one digest {entry.sha256}", where=entry.path)
    return sizes


def _entries(trees: Iterable[Tree]) -> Iterator[Entry]:
    for tree in trees:
        yield from tree.entries


def _check_names(tree: Tree) -> None:
    for entry in tree.entries:
        names.checked_path(entry.path)
    if problems := list(names.collisions(entry.path for entry in tree.entries)):
        raise FormatError("paths of a tree collide", where=problems[0].where, problems=problems)
