"""What files need on a file system, computed from its layout: the file systems that media carry, by one protocol.

A file system is known for one capacity. `used` counts everything the capacity has to hold: the file system's own
structures, names, directories and data in whole clusters. It is never less than what the real tools make, so files fit
if and as far as `used(files) <= capacity`. `cost` is the share of one file, for packing:

    base_cost(system, sticky, folders) + sum of costs >= used(sticky and packed files)

where `folders` are all the directories that the packed files lie in.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Protocol

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import Problem
from issmedia.model.names import parents, shown

BLOCK = 4096
"""Bytes of a block of the disks and sticks that are no FAT."""

FOLDER_BLOCKS = 3
"""What a directory takes beyond its names' shares: it begins with a block, and its index with another, both rounded."""

WORK, WORK_BYTES = ".tmp-writing", 4096
"""Stands for the directory in which files lie while they are written: gone at the end, but nothing fits without it."""

_NAME_BYTES = 8
_INDEXED = 250
"""Leaves of a directory that one block of its index names at least: a full one names over 500."""


class Placed(Protocol):
    """A file at its place on a volume, as trees and plans know it."""

    @property
    def path(self) -> str:
        """Say where it lies."""

    @property
    def sha256(self) -> Digest:
        """Name its bytes: files with one digest share them where links are."""

    @property
    def size(self) -> int:
        """Count its bytes."""


class FileSystem(Protocol):
    """A file system of one capacity."""

    @property
    def name(self) -> str:
        """Name it as `--fs` does."""

    @property
    def largest_file(self) -> int | None:
        """Give the bytes of the largest file it holds; None: as large as the medium."""

    @property
    def links(self) -> bool:
        """Say whether files with the same bytes can share them; else each is a copy."""

    def used(self, files: Iterable[Placed]) -> int:
        """Count the bytes of the capacity that these files need, with everything around them."""

    def cost(self, path: str, size: int) -> int:
        """Count the bytes that one more file adds; where links are, size 0 is the cost of one more name."""

    def folder_cost(self, path: str) -> int:
        """Count the bytes that one more directory may add; the root is the empty path."""

    def faults(self, files: Iterable[Placed], /) -> Iterator[Problem]:
        """Find what it cannot hold whatever its capacity: files too large, too many names in a directory."""


def base_cost(system: FileSystem, sticky: Iterable[Placed], folders: Iterable[str]) -> int:
    """Count what a volume needs before packed files: what lies on every volume, and room for the directories."""
    return system.used(sticky) + system.folder_cost("") + sum(system.folder_cost(folder) for folder in folders)


class Plain(msgspec.Struct, frozen=True):
    """A directory on a disk of ours: files and directories in blocks of 4,096 bytes, and nothing of the disk itself."""

    name: ClassVar[str] = "plain"
    largest_file: ClassVar[int | None] = None
    links: ClassVar[bool] = True

    def used(self, files: Iterable[Placed]) -> int:
        """Count blocks of bytes, each digest once, and of directories."""
        listed = list(files)
        folders = sum(folder_bytes(names, BLOCK) for names in names_by_folder(file.path for file in listed).values())
        return folders + sum(rounded(size, BLOCK) for size in sizes_once(listed))

    def cost(self, path: str, size: int) -> int:
        """Count the blocks of its bytes, and its name in a directory half full."""
        return rounded(size, BLOCK) + name_cost(path)

    def folder_cost(self, path: str) -> int:
        """Count its first blocks, and its name."""
        return FOLDER_BLOCKS * BLOCK + name_cost(path)

    def faults(self, _files: Iterable[Placed]) -> Iterator[Problem]:
        """Find nothing: disks hold what stores hold."""
        yield from ()


def name_bytes(name: str) -> int:
    """Count the bytes of a name in a directory of ext4: record, name, padding to 4."""
    return rounded(_NAME_BYTES + len(name.encode()), 4)


def name_cost(path: str) -> int:
    """Count what a name adds to its directory: leaves are split in halves, and the index names the leaves."""
    return 2 * name_bytes(path.rpartition("/")[2]) * 11 // 10


def folder_bytes(names: Iterable[str], block: int) -> int:
    """Count the bytes of a directory: one block, or leaves that may be half full, and an index over them."""
    size = sum(name_bytes(name) for name in names) + 2 * name_bytes("..")
    room = block - 12  # a checksum ends each block
    if size <= room - 255:
        return block
    leaves = -(-2 * size // room)
    return block * (leaves + 1 + leaves // _INDEXED)


def rounded(size: int, unit: int) -> int:
    """Round up to whole units."""
    return -(-size // unit) * unit


def sizes_once(files: Iterable[Placed]) -> Iterable[int]:
    """Give the size of every digest once."""
    return {file.sha256: file.size for file in files}.values()


def names_by_folder(paths: Iterable[str]) -> Mapping[str, list[str]]:
    """Give every directory with the names in it, directories among them; the root is the empty path."""
    listed = list(paths)
    folders = parents(listed)
    found: dict[str, list[str]] = defaultdict(list, {"": [], **{folder: [] for folder in folders}})
    for path in (*listed, *folders):
        folder, _, name = path.rpartition("/")
        found[folder].append(name)
    return found


def too_large(files: Iterable[Placed], largest: int, name: str) -> Iterator[Problem]:
    """Find the files over a file system's limit."""
    for file in files:
        if file.size > largest:
            yield Problem(shown(file.path), f"has {file.size:,} bytes; {name} holds files of at most {largest:,}")
